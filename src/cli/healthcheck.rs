//! `sentinel healthcheck`: whether the daemon on this machine is alive (exit code 0) or not (1), for Docker's HEALTHCHECK.
//!
//! It asks /livez, which the Scheduler answers. A daemon that is stopped or hangs is unhealthy: Docker shows it, and an
//! orchestrator acts on it. Problems of EODHD, HUB or GTW are in /health and in the alerts, because a restart would not solve
//! them.

use crate::{
    net::{self, NOT_A_URL, Origin, is_loopback},
    process::{
        exit::{fail, refuse},
        on_system,
        output::say,
    },
    settings::{MetricsSettings, Settings, Sources, daemon_address},
};
use anyhow::{Context as _, bail};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use sentinel_actors::{
    adapters::http::{self, Answer, Client, HttpError, Identity},
    domain::sanitize::one_line,
};
use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

/// Longest answer that is read; /health has a few kilobytes.
const BODY_BYTES_MAX: usize = 1 << 20;
const NO_CERTIFICATE: &str = "the daemon requires a client certificate: use --cert and --key, or set \
                              metrics.client_cert_file and metrics.client_key_file";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The daemon [default: this machine, with metrics.bind and metrics.port of the settings]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// What to ask: /livez, /readyz or /startupz
    #[arg(long, value_name = "PATH", default_value = "/livez")]
    path: String,
    /// Deadline for the answer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    deadline_ms: u64,
    /// Certificate (PEM) for a daemon that requires a client certificate [default: metrics.client_cert_file]
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Private key (PEM) of --cert [default: metrics.client_key_file]
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Settings file (TOML) of the daemon
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn main(args: &Args) -> ExitCode {
    // Without checks: a token, and what else only the daemon needs, may be missing.
    let settings = match Settings::load_unchecked(&Sources::beside_daemon(args.config.as_deref())) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    let url = match &args.url {
        Some(url) => net::base_url(url).to_owned(),
        None if settings.metrics.enabled => daemon_address::url(&settings.metrics),
        None => return fail(&anyhow::anyhow!("metrics.enabled is false, so the daemon has no port")),
    };
    if url.contains('@') {
        return fail(&anyhow::anyhow!(
            "--url must not contain a user or a password: /livez, /readyz and /startupz do not ask for one"
        ));
    }
    let identity = match identity(args, &settings.metrics) {
        Ok(identity) => identity,
        Err(fault) => return fail(&anyhow::Error::msg(fault)),
    };
    let asked = ask(&url, &args.path, identity.as_ref(), Duration::from_millis(args.deadline_ms));
    match on_system(asked) {
        Ok(answer) => {
            say(&answer.to_string());
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error.context(format!("{url}{}", args.path))),
    }
}

/// The client certificate, if there is one.
fn identity(args: &Args, metrics: &MetricsSettings) -> Result<Option<Identity>, String> {
    let by_flags = args.cert.as_ref().zip(args.key.as_ref());
    let files = by_flags.or(metrics.client_cert_file.as_ref().zip(metrics.client_key_file.as_ref()));
    files.map(|(cert, key)| Identity::read(cert, key)).transpose()
}

/// The answer of a healthy daemon; one deadline covers everything.
async fn ask(url: &str, path: &str, identity: Option<&Identity>, deadline: Duration) -> anyhow::Result<String> {
    let origin = Origin::of(url).context(NOT_A_URL)?;
    let answer = http::within(deadline, async {
        match get(url, &origin.host, path, identity).await {
            // The daemon may have a web-config file that this command does not know. Its port then accepts only TLS, and
            // closes a plaintext connection.
            Err(HttpError::Broken(_)) if origin.scheme == "http" => {
                get(&url.replacen("http:", "https:", 1), &origin.host, path, identity).await
            }
            answer => answer,
        }
    });
    let Answer { status, body, .. } = answer.await.map_err(|error| {
        let needs_certificate =
            matches!(&error, HttpError::Broken(why) | HttpError::Connect(why) if why.contains("CertificateRequired"));
        let error = anyhow::Error::from(error);
        if needs_certificate { error.context(NO_CERTIFICATE) } else { error }
    })?;
    let text = one_line(&String::from_utf8_lossy(&body));
    if status != 200 {
        bail!("status {status}: {text}");
    }
    Ok(text)
}

async fn get(url: &str, host: &str, path: &str, identity: Option<&Identity>) -> Result<Answer, HttpError> {
    let client = client(url, host, identity).map_err(|error| HttpError::Connect(error.to_string()))?;
    http::fetch(client.get(&format!("{url}{path}")), None, BODY_BYTES_MAX).await
}

/// On loopback any certificate is accepted: it has the name by which other machines know this one, nothing secret is sent, and
/// whoever can listen there instead of the daemon could also stop the daemon. For other hosts it is checked as usual.
fn client(url: &str, host: &str, identity: Option<&Identity>) -> anyhow::Result<Client> {
    if !url.starts_with("https:") || !is_loopback(host) {
        return Ok(Client::with_identity(url, identity)?);
    }
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)));
    let mut config = match identity.map(Identity::parts) {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Client::with_tls(config))
}

/// Accepts every certificate, but still checks the signatures of the handshake.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
