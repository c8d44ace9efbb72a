//! The vocabulary of Motia: ids, step and stream configs, clock and errors. No IO.
