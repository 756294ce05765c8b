//! Criterion benches of Quorate's libraries, one target for each subject.
