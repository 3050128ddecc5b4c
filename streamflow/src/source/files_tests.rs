use std::fs;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use super::super::test_cx;
use super::*;
use crate::time::ManualClock;

const START: u64 = 12_000;

fn put(path: PathBuf, content: impl AsRef<[u8]>, millis: u64) {
    fs::write(&path, content).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_millis(millis)).unwrap();
}

fn started<D: Decode>(source: Result<FileSource<D>>) -> FileSource<D> {
    let mut source = source.unwrap();
    source.start(&test_cx(&ManualClock::at(BatchTime::from_millis(START)))).unwrap();
    source
}

fn lines(dir: &Path, options: &FileOptions) -> FileSource<Lines> {
    started(FileSource::lines(dir.to_str().unwrap(), options))
}

fn next<D: Decode>(source: &mut FileSource<D>, millis: u64) -> Result<Vec<<D::Record as Record>::Block>> {
    let range = source.next_range(BatchTime::from_millis(millis)).unwrap();
    source.read(&range)
}

fn texts(blocks: &[TextBlock]) -> Vec<Vec<&str>> {
    blocks.iter().map(|block| block.iter().collect()).collect()
}

#[test]
fn fixed_records_of_new_files() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path().join("0"), [0], 10_000);
    let mut source = started(FileSource::fixed_records(dir.path().to_str().unwrap(), 1));
    for byte in 1..=5_u8 {
        let millis = START + u64::from(byte) * 1_000;
        put(dir.path().join(byte.to_string()), [byte], millis);
        let blocks = next(&mut source, millis).unwrap();
        assert_eq!(blocks.iter().flat_map(BytesBlock::iter).collect::<Vec<_>>(), [[byte]]);
    }
}

#[test]
fn a_file_of_the_wrong_length_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    assert!(FileSource::fixed_records(path, 0).is_err());
    put(dir.path().join("odd"), [1, 2, 3], START + 1);
    let error = next(&mut started(FileSource::fixed_records(path, 2)), 13_000).unwrap_err();
    assert!(format!("{error:?}").contains("odd") && format!("{error:?}").contains("2 bytes"), "{error:?}");
}

#[test]
fn each_file_is_a_partition() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path().join("a"), "one\r\ntwo", START + 1);
    put(dir.path().join("b"), "", START + 2);
    put(dir.path().join("c"), "three\n", START + 3);
    let blocks = next(&mut lines(dir.path(), &FileOptions::new()), 13_000).unwrap();
    assert_eq!(texts(&blocks), [vec!["one", "two"], vec![], vec!["three"]]);
}

#[test]
fn old_files_and_other_names_on_demand() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path().join("old.log"), "old", 10_000);
    put(dir.path().join("new.txt"), "new", START + 1);
    let options = FileOptions::new()
        .new_files_only(false)
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    let mut source = lines(dir.path(), &options);
    assert_eq!(texts(&next(&mut source, 13_000).unwrap()), [["old"]]);
    assert!(next(&mut source, 14_000).unwrap().is_empty(), "it is read once");
}

#[test]
fn a_large_file_is_cut_at_line_ends() {
    let dir = tempfile::tempdir().unwrap();
    let all: Vec<String> = (0..400_000).map(|n| format!("line number {n}")).collect();
    put(dir.path().join("large"), all.join("\n"), START + 1);
    let mut source = lines(dir.path(), &FileOptions::new());
    source.parallelism = 4;
    let blocks = next(&mut source, 13_000).unwrap();
    assert_eq!(blocks.len(), 4);
    assert!(blocks.iter().flat_map(TextBlock::iter).eq(all.iter().map(String::as_str)));
}

#[test]
fn a_cut_may_fall_on_a_line_end_or_into_a_long_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    put(path.clone(), "ab\ncdefghij\nk\n", START + 1);
    let selected = lines(dir.path(), &FileOptions::new()).next_range(BatchTime::from_millis(13_000)).unwrap();
    for target in 1..20 {
        let pieces = cut(&selected[0], target).unwrap();
        let read: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.read().unwrap()).collect();
        assert_eq!(read.concat(), b"ab\ncdefghij\nk\n");
        assert!(read.iter().all(|piece| piece.ends_with(b"\n")), "target {target}: {read:?}");
    }
}

#[test]
fn what_is_not_utf8_follows_the_policy() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path().join("a"), b"good\nb\xffd\n", START + 1);
    let stats = LineStats::new();
    let read = |bad| {
        let options = FileOptions::new().bad_lines(bad).stats(&stats);
        next(&mut lines(dir.path(), &options), 13_000)
    };
    assert_eq!(texts(&read(BadLines::Replace).unwrap()), [["good", "b\u{fffd}d"]]);
    assert_eq!(texts(&read(BadLines::Skip).unwrap()), [["good"]]);
    let error = read(BadLines::Stop).unwrap_err();
    assert!(format!("{error:?}").contains("not UTF-8"), "{error:?}");
    assert_eq!(stats.invalid(), 3);
}

#[test]
fn a_range_reads_the_same_bytes_again_or_fails() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    put(path.clone(), "one\ntwo\n", START + 1);
    let mut source = lines(dir.path(), &FileOptions::new());
    let range = source.next_range(BatchTime::from_millis(13_000)).unwrap();
    put(path.clone(), "one\ntwo\nappended\n", START + 2_000);
    assert_eq!(texts(&source.read(&range).unwrap()), [["one", "two"]]);
    put(path.clone(), "one\n", START + 3_000);
    let torn = source.read(&range).unwrap_err().to_string();
    assert!(torn.contains("had 8 bytes") && torn.contains("now has 4"), "{torn}");
    fs::remove_file(&path).unwrap();
    let gone = source.read(&range).unwrap_err().to_string();
    assert!(gone.contains(path.to_str().unwrap()) && gone.contains("must stay"), "{gone}");
}

#[test]
fn a_function_decodes_whole_files() {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in [("a", "1 2"), ("b", "3"), ("c", "x")] {
        put(dir.path().join(name), content, START + 1_000 * u64::from(name.as_bytes()[0] - b'a') + 1);
    }
    let decode = |path: &Path, bytes: Vec<u8>| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let numbers = text.split(' ').map(|word| {
            word.parse::<u32>().map_err(|error| Error::input(format!("{} is damaged", path.display())).because(error))
        });
        assert!(text != "panic", "on purpose");
        numbers.collect::<Result<Vec<u32>>>()
    };
    let mut source = started(FileSource::decoded(dir.path().to_str().unwrap(), &FileOptions::new(), decode));
    assert_eq!(next(&mut source, 13_000).unwrap(), [[1, 2]]);
    assert_eq!(next(&mut source, 14_000).unwrap(), [[3]]);
    assert!(next(&mut source, 15_000).unwrap_err().to_string().contains("is damaged"));
    put(dir.path().join("d"), "panic", START + 4_000);
    assert!(next(&mut source, 16_000).is_err());
}
