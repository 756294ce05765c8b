//! Every deliberate defect is noticed.

use quorate_settlement::Mutation;
use quorate_settlement::simulation::{Options, run};

#[test]
fn every_defect_is_noticed_within_a_few_seeds() {
    for mutation in Mutation::ALL {
        let options = Options {
            blocks: 60,
            mutation: Some(mutation),
            ..Options::default()
        };
        let noticed = (0..40).find_map(|seed| run(seed, &options).err());
        let failure = noticed.unwrap_or_else(|| panic!("{mutation:?} was not noticed"));
        println!("{mutation:?}: seed {}, {}", failure.seed, failure.cause);
    }
}
