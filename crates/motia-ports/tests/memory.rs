//! The backends in memory keep the contracts.

use std::sync::Arc;

use motia_core::SystemClock;
use motia_ports::conformance;
use motia_ports::memory::Memory;

fn memory() -> Memory {
    Memory::new(Arc::new(SystemClock::default()))
}

#[tokio::test]
async fn state_conforms() {
    conformance::state(&*memory().state()).await;
}

#[tokio::test]
async fn streams_conform() {
    conformance::streams(&*memory().streams()).await;
}

#[tokio::test]
async fn queue_conforms() {
    conformance::queue(&*memory().queue()).await;
}

#[tokio::test]
async fn cron_conforms() {
    conformance::cron(&*memory().cron()).await;
}
