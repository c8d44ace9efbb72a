//! The backend traits: state, streams, event queue, cron lock and telemetry.
