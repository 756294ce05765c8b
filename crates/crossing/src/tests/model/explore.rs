//! A breadth-first search that keeps the graph, so that it can be asked from where something can be reached.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use stateright::Model;

/// A model whose states are told apart by a key.
pub(super) trait Graph: Model {
    type Key: Copy + Ord;
    type Summary;
    fn key(&self, state: &Self::State) -> Self::Key;
    /// What is asked of a state when all are known.
    fn summary(state: &Self::State) -> Self::Summary;
    /// The shard whose log the action is an entry of.
    fn actor(action: &Self::Action) -> u8;
    /// The promise that is broken, if one is.
    fn broken(&self, state: &Self::State) -> Option<String>;
}

/// All that is reachable, or what came before a broken promise.
pub(super) struct Explored<W: Graph> {
    states: Vec<(W::Key, W::Summary)>,
    /// From, to, by which shard.
    edges: Vec<(u32, u32, u8)>,
    pub(super) broken: Option<(String, Vec<W::Action>)>,
}

/// Explores everything that is reachable from the start, at most `most` states.
pub(super) fn explore<W: Graph>(world: &W, most: usize) -> Explored<W>
where
    W::Action: Clone,
{
    let mut numbers: BTreeMap<W::Key, u32> = BTreeMap::new();
    let mut parents: Vec<(u32, Option<W::Action>)> = Vec::new();
    let mut queue: VecDeque<(u32, W::State)> = VecDeque::new();
    let mut explored = Explored {
        states: Vec::new(),
        edges: Vec::new(),
        broken: None,
    };
    for state in world.init_states() {
        numbers.insert(world.key(&state), 0);
        explored
            .states
            .push((world.key(&state), W::summary(&state)));
        parents.push((0, None));
        queue.push_back((0, state));
    }
    let mut actions = Vec::new();
    while let Some((from, state)) = queue.pop_front() {
        actions.clear();
        world.actions(&state, &mut actions);
        for action in actions.iter().cloned() {
            let actor = W::actor(&action);
            let Some(next) = world.next_state(&state, action.clone()) else {
                continue;
            };
            let key = world.key(&next);
            if let Some(to) = numbers.get(&key) {
                explored.edges.push((from, *to, actor));
                continue;
            }
            let to = u32::try_from(explored.states.len()).expect("far fewer");
            assert!(explored.states.len() < most, "more than {most} states");
            numbers.insert(key, to);
            explored.states.push((key, W::summary(&next)));
            explored.edges.push((from, to, actor));
            parents.push((from, Some(action)));
            if let Some(broken) = world.broken(&next) {
                explored.broken = Some((broken, trace(&parents, to)));
                return explored;
            }
            queue.push_back((to, next));
        }
    }
    explored
}

fn trace<A: Clone>(parents: &[(u32, Option<A>)], mut at: u32) -> Vec<A> {
    let mut steps = Vec::new();
    while let (parent, Some(action)) = &parents[usize::try_from(at).expect("few")] {
        steps.push(action.clone());
        at = *parent;
    }
    steps.reverse();
    steps
}

impl<W: Graph> Explored<W> {
    pub(super) fn count(&self) -> usize {
        self.states.len()
    }

    /// The keys of all states, each as `of` makes it.
    pub(super) fn keys(&self, of: impl Fn(&W::Key) -> W::Key) -> BTreeSet<W::Key> {
        self.states.iter().map(|(key, _)| of(key)).collect()
    }

    /// Whether some state is such.
    pub(super) fn any(&self, such: impl Fn(&W::Summary) -> bool) -> bool {
        self.states.iter().any(|(_, summary)| such(summary))
    }

    /// How many states there are from which no state with `goal` can be reached, if `silent` does nothing any more.
    pub(super) fn stuck(&self, goal: impl Fn(&W::Summary) -> bool, silent: Option<u8>) -> usize {
        let edges = self.edges.iter();
        let edges = edges.filter(|(_, _, actor)| Some(*actor) != silent);
        let mut back: Vec<(u32, u32)> = edges.map(|(from, to, _)| (*to, *from)).collect();
        back.sort_unstable();
        let position = |number: u32| usize::try_from(number).expect("few");
        let mut reaches = vec![false; self.states.len()];
        let mut open = Vec::new();
        for (number, (_, summary)) in (0u32..).zip(&self.states) {
            if goal(summary) {
                reaches[position(number)] = true;
                open.push(number);
            }
        }
        while let Some(to) = open.pop() {
            let first = back.partition_point(|(target, _)| *target < to);
            for (_, from) in back[first..].iter().take_while(|(target, _)| *target == to) {
                if !reaches[position(*from)] {
                    reaches[position(*from)] = true;
                    open.push(*from);
                }
            }
        }
        reaches.iter().filter(|reached| !**reached).count()
    }
}
