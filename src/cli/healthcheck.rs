//! `sentinel healthcheck`: what Docker's HEALTHCHECK runs beside the daemon: is it alive? Exit 0 if it is, 1 if not.
//!
//! It asks /livez, which the Scheduler answers: a daemon that is stopped or wedged is unhealthy, which Docker shows and an
//! orchestrator acts on. What is wrong with EODHD, HUB or GTW is in /health and in the alerts; a new start would mend none
//! of it.

use crate::{
    net::{self, NOT_A_URL, Origin, is_loopback},
    process::{
        exit::{fail, refuse},
        on_system,
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

/// Longest answer that is read; /health has a few kB.
const BODY_BYTES_MAX: usize = 1 << 20;
const NO_CERTIFICATE: &str = "the daemon asks its clients for a certificate: say --cert and --key, or set \
                              metrics.client_cert_file and metrics.client_key_file";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The daemon [default: metrics.bind and metrics.port of the settings, on this machine]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// What to ask: /livez, or /readyz and /startupz for those who wait for a daemon to get going
    #[arg(long, value_name = "PATH", default_value = "/livez")]
    path: String,
    /// How long it may take, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    deadline_ms: u64,
    /// Certificate (PEM) for a daemon that asks its clients for one [default: metrics.client_cert_file]
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
    // Neither a token nor anything else that only a daemon needs is asked for.
    let settings = match Settings::load_unchecked(&Sources::beside_daemon(args.config.as_deref())) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    let url = match &args.url {
        Some(url) => net::base_url(url).to_owned(),
        None if settings.metrics.enabled => daemon_address::url(&settings.metrics),
        None => return fail(&anyhow::anyhow!("metrics.enabled is false: there is no port to ask at")),
    };
    if url.contains('@') {
        return fail(&anyhow::anyhow!(
            "--url must hold no user and no password: /livez, /readyz and /startupz ask for none"
        ));
    }
    let identity = match identity(args, &settings.metrics) {
        Ok(identity) => identity,
        Err(fault) => return fail(&anyhow::Error::msg(fault)),
    };
    let asked = ask(&url, &args.path, identity.as_ref(), Duration::from_millis(args.deadline_ms));
    match on_system(asked) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error.context(format!("{url}{}", args.path))),
    }
}

/// What is shown to a daemon that asks for a certificate, if anything is.
fn identity(args: &Args, metrics: &MetricsSettings) -> Result<Option<Identity>, String> {
    let said = args.cert.as_ref().zip(args.key.as_ref());
    let files = said.or(metrics.client_cert_file.as_ref().zip(metrics.client_key_file.as_ref()));
    files.map(|(cert, key)| Identity::read(cert, key)).transpose()
}

/// What a healthy daemon says; one deadline over everything.
async fn ask(url: &str, path: &str, identity: Option<&Identity>, deadline: Duration) -> anyhow::Result<String> {
    let origin = Origin::of(url).context(NOT_A_URL)?;
    let answer = http::within(deadline, async {
        match get(url, &origin.host, path, identity).await {
            // A daemon may know of a web-config file that this command was not told of. Its port speaks TLS only, and hangs
            // up on a plain question.
            Err(HttpError::Broken(_)) if origin.scheme == "http" => {
                get(&url.replacen("http:", "https:", 1), &origin.host, path, identity).await
            }
            answer => answer,
        }
    });
    let Answer { status, body, .. } = answer.await.map_err(|error| {
        let asks =
            matches!(&error, HttpError::Broken(why) | HttpError::Connect(why) if why.contains("CertificateRequired"));
        let error = anyhow::Error::from(error);
        if asks { error.context(NO_CERTIFICATE) } else { error }
    })?;
    let said = one_line(&String::from_utf8_lossy(&body));
    if status != 200 {
        bail!("status {status}: {said}");
    }
    Ok(said)
}

async fn get(url: &str, host: &str, path: &str, identity: Option<&Identity>) -> Result<Answer, HttpError> {
    let client = client(url, host, identity).map_err(|error| HttpError::Connect(error.to_string()))?;
    http::fetch(client.get(&format!("{url}{path}")), None, BODY_BYTES_MAX).await
}

/// On loopback any certificate will do: it names the machine as others know it, nothing secret is sent, and whoever
/// could listen there in the daemon's place could stop the daemon as well. Elsewhere it is checked as always.
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

/// Believes every certificate; the handshake's signatures are still checked, so that it is a working one.
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
