//! `sentinel sandbox market|model|gateway`: one of the demo's servers alone.

use super::own_bars::{Own, OwnBars};
use crate::{
    daemon::telemetry,
    process::{exit::fail, on_system, output::say, unix_signals},
    sandbox::{PriceBoard, baseline::Baseline, gateway, market, model, recording::Recording},
    settings::Log,
};
use anyhow::Context;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::ExitCode,
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Server {
    /// An EODHD-compatible market: replays recorded EUR/USD bars or yours, one more with each request (use with --clock bars)
    ///
    /// After the last bar, the bars repeat, moved by whole weeks.
    Market {
        #[command(flatten)]
        listen: Listen,
        #[command(flatten)]
        own: OwnBars,
        /// Port; 0 for a free one
        #[arg(long, default_value_t = 8081)]
        port: u16,
    },
    /// An MLflow-compatible model server: a small softmax model, fitted to the first part of the recorded bars
    Model {
        #[command(flatten)]
        listen: Listen,
        /// Port; 0 for a free one
        #[arg(long, default_value_t = 5001)]
        port: u16,
    },
    /// A v43 gateway on ZeroMQ: checks risk signatures, fills orders, keeps positions
    Gateway {
        #[command(flatten)]
        listen: Listen,
        /// Port; 0 for a free one
        #[arg(long, default_value_t = 5555)]
        port: u16,
        /// Price of every fill
        #[arg(long, default_value_t = 1.1)]
        price: f64,
    },
}

/// Where a server listens.
#[derive(Debug, clap::Args)]
pub(super) struct Listen {
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
}

pub(super) fn main(server: Server) -> ExitCode {
    telemetry::init(&Log::info());
    let served = on_system(async {
        let stop = unix_signals::stop()?;
        match server {
            Server::Market { listen, own, port } => {
                let address = SocketAddr::new(listen.bind, port);
                let own = own.read()?;
                let recording = own.as_ref().map_or_else(Recording::eurusd, |own| own.recording.clone());
                let market = market::start(market::Config::new(address, recording, PriceBoard::default()))
                    .with_context(|| format!("the market cannot listen on {address} (--port N takes another)"))?;
                say(&format!(
                    "market on http://{} (any token; sentinel run --clock bars{})",
                    market.addr(),
                    flags(own)
                ));
                stop.await;
                market.stop();
            }
            Server::Model { listen, port } => {
                let address = SocketAddr::new(listen.bind, port);
                let model = model::start(address, Baseline::fitted())
                    .with_context(|| format!("the model cannot listen on {address} (--port N takes another)"))?;
                say(&format!("model on http://{}", model.addr()));
                stop.await;
                model.stop();
            }
            Server::Gateway { listen, port, price } => {
                let address = SocketAddr::new(listen.bind, port);
                let config = gateway::Config { addr: address, prices: PriceBoard::default(), price: Some(price) };
                let gateway = gateway::start(config)
                    .with_context(|| format!("the gateway cannot listen on {address} (--port N takes another)"))?;
                say(&format!("gateway on tcp://{} (dialect v43)", gateway.addr()));
                stop.await;
                gateway.stop();
            }
        }
        anyhow::Ok(())
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// What the daemon has to know of bars that are not the recorded ones.
fn flags(own: Option<Own>) -> String {
    own.map_or_else(String::new, |own| {
        format!(" --symbol {} --interval {}", own.symbol, own.recording.interval.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Parser, Subcommand};

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(subcommand)]
        server: Server,
    }

    #[test]
    fn each_server_has_its_own_port() {
        let port = |name: &str| match CommandLine::try_parse_from(["sandbox", name]).unwrap().server {
            Server::Market { port, .. } | Server::Model { port, .. } | Server::Gateway { port, .. } => port,
        };
        assert_eq!(["market", "model", "gateway"].map(port), [8081, 5001, 5555]);
        assert!(Server::has_subcommand("market"));
    }
}
