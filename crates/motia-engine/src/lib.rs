//! Registry, invocations, queue dispatcher, cron scheduler, traces and logs.
