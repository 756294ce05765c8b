//! Replays the corpus and a bounded number of seeded mutations of it, for every target.
//!
//! `cargo test -p quorate-fuzz --test corpus -- TARGET FILE...` replays files; without files, it runs the targets with that in
//! their name. `--mutations N` and `--seed N` ask for more, `--write` makes the corpus's seeds anew and keeps its other files.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use quorate_fuzz::{Mutator, Target, all, measure, target};

/// Longer than any input takes on a loaded machine: a loop without an end is meant.
const INPUT_TIME_MAX: Duration = Duration::from_secs(60);

/// What runs now, for the watch.
type Current = Arc<Mutex<Option<(Target, Vec<u8>, Instant)>>>;

struct Arguments {
    target: Option<String>,
    files: Vec<PathBuf>,
    mutations: Option<u32>,
    seed: u64,
    write: bool,
}

fn main() {
    let arguments = arguments();
    let current = Current::default();
    watch(current.clone());
    if let Some(name) = arguments
        .target
        .as_deref()
        .filter(|_| !arguments.files.is_empty())
    {
        let found = target(name).unwrap_or_else(|| panic!("no target {name}"));
        for file in &arguments.files {
            let accepted = check(&found, &std::fs::read(file).unwrap(), &current, false);
            println!("{name} {}: accepted: {accepted}", file.display());
        }
        return;
    }
    let chosen = |target: &Target| {
        let name = arguments.target.as_deref();
        name.is_none_or(|name| target.name.contains(name))
    };
    let mut ran = 0;
    for target in all().into_iter().filter(chosen) {
        run(&target, &arguments, &current);
        ran += 1;
    }
    println!("{ran} targets passed");
}

/// The arguments that libtest knows and this does not are passed over, so that `cargo test -- --nocapture` works.
fn arguments() -> Arguments {
    let mut parsed = Arguments {
        target: None,
        files: Vec::new(),
        mutations: None,
        seed: 0,
        write: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|number| number.parse().ok());
        match argument.as_str() {
            "--mutations" => parsed.mutations = number().and_then(|n| u32::try_from(n).ok()),
            "--seed" => parsed.seed = number().unwrap_or(0),
            "--write" => parsed.write = true,
            "--list" => exit(0),
            flag if flag.starts_with('-') => {}
            name if parsed.target.is_none() => parsed.target = Some(name.to_owned()),
            file => parsed.files.push(file.into()),
        }
    }
    parsed
}

/// The corpus is what the encoders make today, all of it is accepted, and mutations of it do no harm.
fn run(target: &Target, arguments: &Arguments, current: &Current) {
    let start = Instant::now();
    let seeds = target.seeds();
    assert!(!seeds.is_empty(), "{} has no seeds", target.name);
    for seed in &seeds {
        // Once for what is made on first use and stays, once to be measured.
        check(target, seed, current, false);
        let accepted = check(target, seed, current, true);
        assert!(accepted, "{}: a seed is refused", target.name);
    }
    let folder = corpus().join(target.name);
    if arguments.write {
        write(&folder, &seeds);
    }
    for (number, seed) in seeds.iter().enumerate() {
        let file = folder.join(format!("seed-{number}.bin"));
        let stored = std::fs::read(&file).unwrap_or_default();
        assert!(
            stored == *seed,
            "{} is not what the encoder makes: if the format was meant to change, run `cargo test -p quorate-fuzz --test corpus -- --write`",
            file.display()
        );
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut bases = Vec::new();
    for file in files {
        let input = std::fs::read(&file).unwrap();
        check(target, &input, current, true);
        bases.push(input);
    }
    let mut mutator = Mutator::new(arguments.seed, bases);
    let mutations = arguments.mutations.unwrap_or(target.mutations);
    let mut accepted = 0;
    for _ in 0..mutations {
        let input = mutator.next_input();
        if check(target, &input, current, true) {
            accepted += 1;
            mutator.keep(input);
        }
    }
    let elapsed = start.elapsed();
    println!(
        "{:<24} {mutations:>7} mutations, {accepted:>6} accepted, {:>6} ms",
        target.name,
        elapsed.as_millis()
    );
}

fn write(folder: &Path, seeds: &[Vec<u8>]) {
    std::fs::create_dir_all(folder).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.starts_with("seed-")) {
            std::fs::remove_file(path).unwrap();
        }
    }
    for (number, seed) in seeds.iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number}.bin")), seed).unwrap();
    }
}

/// Runs one input. A failure ends the process with the input and the command that replays it.
fn check(target: &Target, input: &[u8], current: &Current, measured: bool) -> bool {
    *current.lock().unwrap() = Some((*target, input.to_vec(), Instant::now()));
    let mut outcome = Ok(false);
    let allocated = measure(|| {
        outcome = catch_unwind(AssertUnwindSafe(|| target.run(input)));
    });
    *current.lock().unwrap() = None;
    let length = u64::try_from(input.len()).unwrap();
    let limit = target.allocated_max + Target::ALLOCATED_PER_BYTE * length;
    match outcome {
        Ok(accepted) if !measured || allocated.bytes_max <= limit => accepted,
        Ok(_) => fail(
            target,
            input,
            &format!(
                "allocated {} bytes, at most {limit} are due",
                allocated.bytes_max
            ),
        ),
        Err(_) => fail(target, input, "panicked"),
    }
}

/// Looks from beside whether an input comes to an end.
fn watch(current: Current) {
    thread::spawn(move || {
        loop {
            thread::sleep(INPUT_TIME_MAX / 10);
            let late = current.lock().unwrap().clone();
            if let Some((target, input, _)) =
                late.filter(|(_, _, since)| since.elapsed() > INPUT_TIME_MAX)
            {
                fail(&target, &input, "does not end");
            }
        }
    });
}

fn fail(target: &Target, input: &[u8], what: &str) -> ! {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let digest = input.iter().fold(0u32, |sum, byte| {
        sum.rotate_left(5).wrapping_mul(31) ^ u32::from(*byte)
    });
    let file = folder.join(format!("{}-{digest:08x}.bin", target.name));
    let written = std::fs::File::create(&file).and_then(|mut file| file.write_all(input));
    eprintln!("{}: an input of {} bytes {what}", target.name, input.len());
    if input.len() <= 2048 {
        eprintln!("input: {}", hex::encode(input));
    }
    match written {
        Ok(()) => eprintln!(
            "replay: cargo test -p quorate-fuzz --test corpus -- {} {}",
            target.name,
            file.display()
        ),
        Err(error) => eprintln!("{}: {error}", file.display()),
    }
    exit(1);
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}
