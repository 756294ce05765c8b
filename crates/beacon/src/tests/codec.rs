//! States and operations have one encoding, and no bytes make a decoder panic.

use alloc::vec::Vec;

use proptest::prelude::*;
use quorate_types::{Decode, Encode};

use super::fake::Fake;
use super::world::World;
use crate::engine::{Beacon, Operation};

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Shrinks to the fewest heights that a failure takes.
    #[test]
    fn worlds_of_any_length_keep_their_promises(seed: u64, heights in 1u64..200) {
        let mut world = World::new(seed, None);
        prop_assert_eq!(world.run(heights), Ok(()));
    }

    #[test]
    fn a_state_restores_to_itself_and_damaged_bytes_never_panic(
        seed: u64,
        heights in 1u64..60,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
    ) {
        let mut world = World::new(seed, None);
        let bytes = world.state_after(heights);
        let restored = Beacon::restore(&bytes, Fake).unwrap();
        prop_assert_eq!(restored.to_bytes(), bytes.clone());
        for (at, value) in &changes {
            let mut bad = bytes.clone();
            *at.get_mut(&mut bad) = *value;
            if let Ok(other) = Beacon::restore(&bad, Fake) {
                prop_assert_eq!(other.to_bytes(), bad);
            }
            let cut = at.index(bytes.len());
            prop_assert!(Beacon::restore(&bytes[..cut], Fake).is_err());
        }
    }

    #[test]
    fn an_operation_has_one_encoding_and_damaged_bytes_never_panic(
        seed: u64,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..10),
    ) {
        let mut world = World::new(seed, None);
        for operation in world.operations_of(40) {
            let bytes = operation.to_bytes();
            prop_assert_eq!(Operation::from_bytes(&bytes), Ok(operation));
            for (at, value) in &changes {
                let mut bad: Vec<u8> = bytes.clone();
                *at.get_mut(&mut bad) = *value;
                if let Ok(other) = Operation::from_bytes(&bad) {
                    prop_assert_eq!(other.to_bytes(), bad);
                }
            }
            prop_assert!(Operation::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        }
    }
}
