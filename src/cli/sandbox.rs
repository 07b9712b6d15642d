//! `sentinel sandbox market|model|gateway`: one of the demo's servers alone.

use super::{fail, run::on_system};
use crate::{
    sandbox::{PriceBoard, baseline::Baseline, gateway, market, model},
    settings::{LogFormat, LogSettings},
    signals, telemetry,
};
use anyhow::Context;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::ExitCode,
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Server {
    /// EODHD-compatible: replays recorded EUR/USD bars, one more with each request (use with --clock bars)
    Market {
        #[command(flatten)]
        listen: Listen<8081>,
    },
    /// MLflow-compatible: a small softmax model fitted on the first part of the recorded bars
    Model {
        #[command(flatten)]
        listen: Listen<5001>,
    },
    /// A v43 gateway on ZeroMQ: checks risk signatures, fills, keeps positions
    Gateway {
        #[command(flatten)]
        listen: Listen<5555>,
        /// Price of every fill
        #[arg(long, default_value_t = 1.1)]
        price: f64,
    },
}

/// Where a server listens.
#[derive(Debug, clap::Args)]
pub(super) struct Listen<const PORT: u16> {
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// Port; 0 takes a free one
    #[arg(long, default_value_t = PORT)]
    port: u16,
}

impl<const PORT: u16> Listen<PORT> {
    fn address(&self) -> SocketAddr {
        SocketAddr::new(self.bind, self.port)
    }
}

pub(super) fn main(server: Server) -> ExitCode {
    telemetry::init(&LogSettings { level: "info".into(), format: LogFormat::Auto });
    let served = on_system(async {
        let stop = signals::stop()?;
        match server {
            Server::Market { listen } => {
                let market = market::start(market::Config::new(listen.address(), PriceBoard::default()))
                    .context("the market cannot start")?;
                println!("market on http://{} (any token; sentinel run --clock bars)", market.addr());
                stop.await;
                market.stop();
            }
            Server::Model { listen } => {
                let model = model::start(listen.address(), Baseline::fit()).context("the model cannot start")?;
                println!("model on http://{}", model.addr());
                stop.await;
                model.stop();
            }
            Server::Gateway { listen, price } => {
                let config =
                    gateway::Config { addr: listen.address(), prices: PriceBoard::default(), price: Some(price) };
                let gateway = gateway::start(config).context("the gateway cannot start")?;
                println!("gateway on tcp://{} (dialect v43)", gateway.addr());
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
