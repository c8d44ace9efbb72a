//! The HTTP edge and the admin API.
