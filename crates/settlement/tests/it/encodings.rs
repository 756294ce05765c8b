//! Every input and entry that a seeded market makes has one encoding, and nothing else decodes.

use quorate_settlement::simulation::{Input, Options, Setting, run};
use quorate_settlement::{EntryKey, Market, MarketError, SignedOperation};
use quorate_types::{Decode, Encode};

fn log() -> Vec<(quorate_settlement::Context, Input)> {
    let options = Options {
        blocks: 25,
        keeps_log: true,
        ..Options::default()
    };
    run(77, &options).unwrap().log
}

#[test]
fn inputs_round_trip_and_their_parts_do_not_decode() {
    let mut kinds = std::collections::BTreeSet::new();
    for (_, input) in log() {
        let bytes = input.to_bytes();
        assert_eq!(Input::from_bytes(&bytes).as_ref(), Ok(&input));
        let Input::Operation(signed) = &input else {
            continue;
        };
        if !kinds.insert(signed.operation.body.kind()) {
            continue;
        }
        let bytes = signed.to_bytes();
        for length in 0..bytes.len() {
            assert!(SignedOperation::from_bytes(&bytes[..length]).is_err());
        }
        // A changed byte is another operation or none: there is one encoding of each.
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 0x15;
            if let Ok(other) = SignedOperation::from_bytes(&changed) {
                assert_ne!(other, **signed);
                assert_eq!(other.to_bytes(), changed);
            }
        }
    }
    assert!(kinds.len() >= 18, "{kinds:?}");
}

fn entries() -> Vec<(EntryKey, Vec<u8>)> {
    let mut market = Setting::default().market();
    for (context, input) in log() {
        let _ = input.apply(&mut market, context);
    }
    market.entries().collect()
}

#[test]
fn entries_restore_the_market_and_damaged_ones_do_not() {
    let facts = Setting::default().facts;
    let entries = entries();
    let market = Market::restore(facts, entries.clone()).unwrap();
    assert_eq!(market.entries().collect::<Vec<_>>(), entries);
    let mut reversed = entries.clone();
    reversed.reverse();
    let again = Market::restore(facts, reversed).unwrap();
    assert_eq!(again.digest(), market.digest());

    let mut twice = entries.clone();
    twice.push(entries[3].clone());
    let error = Market::restore(facts, twice).err();
    assert_eq!(error, Some(MarketError::Duplicate(entries[3].0)));
    for place in 0..entries.len() {
        let (key, value) = &entries[place];
        assert_eq!(EntryKey::from_bytes(&key.to_bytes()), Ok(*key));
        // Without one, or with one a byte short, it is another market or none.
        let mut fewer = entries.clone();
        fewer.remove(place);
        if let Ok(other) = Market::restore(facts, fewer) {
            assert_ne!(other.digest(), market.digest());
        }
        let mut short = entries.clone();
        short[place].1.truncate(value.len() - 1);
        let error = Market::restore(facts, short).err();
        assert!(matches!(error, Some(MarketError::Entry { .. })), "{key:?}");
    }
}

#[test]
fn an_account_with_a_changed_balance_is_refused() {
    let facts = Setting::default().facts;
    let entries = entries();
    let mut refused = 0;
    for place in 0..entries.len() {
        if !matches!(entries[place].0, EntryKey::Account(_)) {
            continue;
        }
        let mut account = quorate_settlement::Account::from_bytes(&entries[place].1).unwrap();
        let Some(amount) = account.free.values_mut().next() else {
            continue;
        };
        *amount += 1;
        let mut changed = entries.clone();
        changed[place].1 = account.to_bytes();
        let error = Market::restore(facts, changed).err();
        assert!(matches!(error, Some(MarketError::Broken(_))), "{error:?}");
        refused += 1;
    }
    assert!(refused > 5);
}
