//! DAGs, layer by layer, told apart by what matters about one slot of round 1.
//!
//! Block by block, what the rest of a DAG can see of the slot is little. Up to the vote round it is which of the slot's blocks a
//! block supports: the first that any parent, in stored order, supports or is. At the certify round it is which of them a quorum
//! of its parents vote for. One round above it is which of them somebody below certifies. That is a block's [`Node::label`], and
//! two blocks of one author and round with one label are interchangeable in whatever is built on them, so one is kept: the
//! first of them, or any other, by [`StandIn`].

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

/// n.
pub(crate) const MEMBERS: u16 = 4;
/// q.
pub(crate) const QUORUM: usize = 3;

/// Which of the blocks with one label stands for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StandIn {
    First,
    Last,
    /// One of them by the number given, another for each round, author and label.
    Mixed(usize),
}

/// What is explored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// w.
    pub(crate) wave: u8,
    /// Author of the slot, which is at round 1.
    pub(crate) leader: u16,
    /// Who may have several blocks in a round.
    pub(crate) liar: u16,
    /// Votes that make a certificate.
    pub(crate) certificate: usize,
    pub(crate) stand_in: StandIn,
}

impl Limits {
    pub(crate) const fn vote_round(&self) -> usize {
        self.wave as usize - 1
    }

    pub(crate) const fn certify_round(&self) -> usize {
        self.wave as usize
    }

    /// The last round explored.
    pub(crate) const fn anchor_round(&self) -> usize {
        self.wave as usize + 1
    }
}

/// A block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) author: u16,
    /// What matters of it: a block of the slot, by number from 1, that it supports, or is; from the certify round on
    /// a set of them.
    pub(crate) label: u8,
    /// Positions in the layer below, in stored order.
    pub(crate) parents: Vec<usize>,
}

/// The blocks of a round, ascending by author and label.
pub(crate) type Layer = Vec<Node>;

/// A DAG; the layer at position i is round i + 1.
#[derive(Clone, Debug)]
pub(crate) struct Dag {
    pub(crate) layers: Vec<Layer>,
}

/// All that the future of a DAG depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    rounds: usize,
    /// Author and label of the last round's blocks.
    last: Vec<(u16, u8)>,
    /// Of the vote round: how many authors support none; each block of the slot; and all but that block. Known once the
    /// round is past.
    votes: Option<[usize; 5]>,
    /// How many authors certify each block of the slot, likewise.
    certificates: Option<[usize; 2]>,
}

impl Dag {
    /// Round 1: everybody has a block; the leader has two if it is the liar.
    pub(crate) fn first(limits: &Limits) -> Self {
        let mut layer = Layer::new();
        for author in 0..MEMBERS {
            let is_leader = author == limits.leader;
            let twins = 1 + u8::from(is_leader && author == limits.liar);
            layer.extend((0..twins).map(|twin| Node {
                author,
                label: if is_leader { twin + 1 } else { 0 },
                parents: Vec::new(),
            }));
        }
        let layers = vec![layer];
        Self { layers }
    }

    /// The last round.
    pub(crate) fn rounds(&self) -> usize {
        self.layers.len()
    }

    pub(crate) fn last(&self) -> &Layer {
        self.layers.last().expect("there is a round 1")
    }

    /// All layers that may come next, up to labels: every honest author has one block, the liar any number of them.
    pub(crate) fn next_layers(&self, limits: &Limits) -> Vec<Layer> {
        let mut layers = vec![Layer::new()];
        for author in 0..MEMBERS {
            let nodes = self.next_nodes(limits, author);
            let sets: Vec<Layer> = if author == limits.liar {
                subsets(&nodes)
            } else {
                nodes.into_iter().map(|node| vec![node]).collect()
            };
            layers = layers
                .iter()
                .flat_map(|layer| sets.iter().map(|set| [layer.as_slice(), set].concat()))
                .collect();
        }
        layers
    }

    /// One block for each label that an author's next block can have.
    fn next_nodes(&self, limits: &Limits, author: u16) -> Vec<Node> {
        let mut by_label: BTreeMap<u8, Vec<Vec<usize>>> = BTreeMap::new();
        for parents in self.parent_lists(author) {
            let label = self.label(limits, &parents);
            by_label.entry(label).or_default().push(parents);
        }
        let stand_in = |(label, lists): (u8, Vec<Vec<usize>>)| {
            let count = lists.len();
            let mixed = 7 * self.rounds() + 5 * usize::from(author) + usize::from(label);
            let at = match limits.stand_in {
                StandIn::First => 0,
                StandIn::Last => count - 1,
                StandIn::Mixed(seed) => seed * mixed % count,
            };
            let parents = lists[at].clone();
            Node {
                author,
                label,
                parents,
            }
        };
        by_label.into_iter().map(stand_in).collect()
    }

    /// All that the parents of an author's next block can be: an own block first, then at most one of each other author, a
    /// quorum in all.
    fn parent_lists(&self, author: u16) -> Vec<Vec<usize>> {
        let of = |author: u16| {
            let nodes = self.last().iter().enumerate();
            let own = nodes.filter(move |(_, node)| node.author == author);
            own.map(|(at, _)| at)
        };
        let mut lists: Vec<Vec<usize>> = of(author).map(|own| vec![own]).collect();
        for other in (0..MEMBERS).filter(|other| *other != author) {
            let mut longer = Vec::new();
            for list in &lists {
                longer.extend(of(other).map(|at| [list.as_slice(), &[at]].concat()));
            }
            lists.extend(longer);
        }
        lists.retain(|list| list.len() >= QUORUM);
        lists
    }

    /// The label of a block of the next round with these parents.
    fn label(&self, limits: &Limits, parents: &[usize]) -> u8 {
        let labels = parents.iter().map(|at| self.last()[*at].label);
        let next = self.rounds() + 1;
        if next <= limits.vote_round() {
            return labels.into_iter().find(|label| *label != 0).unwrap_or(0);
        }
        if next > limits.certify_round() {
            return labels.fold(0, |all, some| all | some);
        }
        let labels: Vec<u8> = labels.collect();
        let votes = |twin: u8| labels.iter().filter(|label| **label == twin).count();
        let certified = |twin: u8| votes(twin) >= limits.certificate;
        u8::from(certified(1)) | u8::from(certified(2)) << 1
    }

    /// What tells this DAG from others.
    pub(crate) fn key(&self, limits: &Limits) -> Key {
        let last = self.last().iter();
        let past = |round: usize| (self.rounds() > round).then(|| &self.layers[round - 1]);
        let count = |layer: &Layer, wanted: &dyn Fn(u8) -> bool| {
            let nodes = layer.iter().filter(|node| wanted(node.label));
            nodes.map(|node| node.author).collect::<BTreeSet<_>>().len()
        };
        Key {
            rounds: self.rounds(),
            last: last.map(|node| (node.author, node.label)).collect(),
            votes: past(limits.vote_round()).map(|layer| {
                [
                    count(layer, &|label| label == 0),
                    count(layer, &|label| label == 1),
                    count(layer, &|label| label == 2),
                    count(layer, &|label| label != 1),
                    count(layer, &|label| label != 2),
                ]
            }),
            certificates: past(limits.certify_round())
                .map(|layer| [1, 2].map(|twin| count(layer, &|label| label & twin != 0))),
        }
    }
}

/// All subsets but the empty one, each in order.
fn subsets(nodes: &[Node]) -> Vec<Layer> {
    let members = |set: usize| {
        let nodes = nodes.iter().enumerate();
        let nodes = nodes.filter(move |(at, _)| set >> at & 1 == 1);
        nodes.map(|(_, node)| node.clone()).collect()
    };
    (1..1 << nodes.len()).map(members).collect()
}

/// A DAG as a state: two with one key are one.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) dag: Dag,
    pub(crate) key: Key,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for State {}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}
