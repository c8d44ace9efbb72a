//! The frame codec, worker processes and their pools.
