//! Functions of fixed-point numbers and nodes of grids, against mpmath.

use quorate_margin::{Fixed, Grid, normal_distribution};

use crate::rows;

#[test]
fn functions_are_as_exact_as_they_say() {
    let mut checked = 0;
    for row in rows(include_str!("vectors/functions.csv")) {
        let argument = Fixed::from_raw(row[1].parse().unwrap());
        let expected: i128 = row[2].parse().unwrap();
        let (found, tolerance) = match row[0] {
            "ln" => {
                let doublings = (argument.raw().ilog2().cast_signed() - 64).abs();
                (argument.ln(), 4 + i128::from(doublings) / 2 + 1)
            }
            "exp" if argument <= Fixed::ZERO => (argument.exp(), 4),
            "exp" => (argument.exp(), 4 + (expected >> 57)),
            "sqrt" => (argument.sqrt(), 1 + (expected >> 63)),
            "normal" => (Some(normal_distribution(argument)), 3),
            other => panic!("unknown function {other}"),
        };
        let error = found.unwrap().raw() - expected;
        assert!(error.abs() <= tolerance, "{row:?}: {error}");
        checked += 1;
    }
    assert_eq!(checked, 300);
}

#[test]
fn nodes_stand_at_their_prices() {
    let mut checked = 0;
    for row in rows(include_str!("vectors/nodes.csv")) {
        let grid = Grid::new(row[0].parse().unwrap()).unwrap();
        let node = row[1].parse().unwrap();
        assert_eq!(
            grid.node_price(node),
            Ok(row[2].parse().unwrap()),
            "{row:?}"
        );
        assert_eq!(grid.centre(row[2].parse().unwrap()), Ok(node), "{row:?}");
        checked += 1;
    }
    assert_eq!(checked, 120);
}
