//! Tests of the agreement.
