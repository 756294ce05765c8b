//! Tests of the agreement: its rules one by one, and whole runs.

mod network;
mod rules;
mod runs;
