//! What is on the simulated disk, and what only in the memory of the machine.
//!
//! A file has its durable bytes and the changes since its last sync; a directory has its durable names and takes part in a
//! list of changes of names, in the order in which they were made. A crash applies some of these changes and forgets the
//! others.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path};

use crate::fs::Entry;
use crate::fs::random::Random;

/// The number of a file or directory. Numbers are not used again.
pub(super) type Inode = usize;

const ROOT: Inode = 0;

#[derive(Clone)]
pub(super) struct Disk {
    nodes: Vec<Node>,
    /// Changes of names that no sync of a directory covers yet, oldest first.
    unsynced: Vec<NameChange>,
}

#[derive(Clone)]
enum Node {
    File(FileNode),
    Dir(DirNode),
}

#[derive(Clone, Default)]
struct FileNode {
    durable: Vec<u8>,
    /// What a running program reads.
    current: Vec<u8>,
    unsynced: Vec<DataChange>,
}

#[derive(Clone)]
enum DataChange {
    Write { at: usize, bytes: Vec<u8> },
    SetLen(usize),
}

#[derive(Clone, Default)]
struct DirNode {
    durable: BTreeMap<String, Inode>,
    current: BTreeMap<String, Inode>,
}

/// One create, remove or rename: all of it survives a crash, or nothing.
#[derive(Clone)]
struct NameChange(Vec<(Inode, String, Option<Inode>)>);

impl Disk {
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::Dir(DirNode::default())], unsynced: Vec::new() }
    }

    /// What a path stands for.
    pub(super) fn resolve(&self, path: &Path) -> io::Result<Inode> {
        let mut node = ROOT;
        for component in path.components() {
            if let Component::Normal(name) = component {
                let name = name.to_str().ok_or(io::ErrorKind::InvalidInput)?;
                node = *self.dir(node)?.current.get(name).ok_or(io::ErrorKind::NotFound)?;
            }
        }
        Ok(node)
    }

    fn parent_and_name(&self, path: &Path) -> io::Result<(Inode, String)> {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidInput)?;
        Ok((self.resolve(path.parent().unwrap_or(Path::new("")))?, name.to_owned()))
    }

    fn dir(&self, node: Inode) -> io::Result<&DirNode> {
        match &self.nodes[node] {
            Node::Dir(dir) => Ok(dir),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn file(&self, node: Inode) -> io::Result<&FileNode> {
        match &self.nodes[node] {
            Node::File(file) => Ok(file),
            Node::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn file_mut(&mut self, node: Inode) -> io::Result<&mut FileNode> {
        match &mut self.nodes[node] {
            Node::File(file) => Ok(file),
            Node::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn change_names(&mut self, change: NameChange) {
        apply_names(&mut self.nodes, &change, |dir| &mut dir.current);
        self.unsynced.push(change);
    }

    fn add(&mut self, path: &Path, node: Node) -> io::Result<Inode> {
        let (dir, name) = self.parent_and_name(path)?;
        if self.dir(dir)?.current.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = self.nodes.len();
        self.nodes.push(node);
        self.change_names(NameChange(vec![(dir, name, Some(inode))]));
        Ok(inode)
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<Inode> {
        self.add(path, Node::File(FileNode::default()))
    }

    pub(super) fn create_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let ancestors: Vec<&Path> = path.ancestors().collect();
        for ancestor in ancestors.into_iter().rev().filter(|path| path.file_name().is_some()) {
            match self.add(ancestor, Node::Dir(DirNode::default())) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    self.dir(self.resolve(ancestor)?)?;
                }
                added => drop(added?),
            }
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.file(self.resolve(path)?)?;
        let (dir, name) = self.parent_and_name(path)?;
        self.change_names(NameChange(vec![(dir, name, None)]));
        Ok(())
    }

    pub(super) fn remove_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let inode = self.resolve(path)?;
        for (name, child) in self.dir(inode)?.current.clone() {
            match self.nodes[child] {
                Node::Dir(_) => self.remove_dir_all(&path.join(&name))?,
                Node::File(_) => self.change_names(NameChange(vec![(inode, name, None)])),
            }
        }
        let (dir, name) = self.parent_and_name(path)?;
        self.change_names(NameChange(vec![(dir, name, None)]));
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let moved = self.resolve(from)?;
        let (old_dir, old_name) = self.parent_and_name(from)?;
        let (new_dir, new_name) = self.parent_and_name(to)?;
        if let Some(&target) = self.dir(new_dir)?.current.get(&new_name) {
            match (&self.nodes[moved], &self.nodes[target]) {
                (Node::File(_), Node::File(_)) => {}
                (Node::Dir(_), Node::Dir(dir)) if dir.current.is_empty() => {}
                (Node::Dir(_), Node::Dir(_)) => return Err(io::ErrorKind::DirectoryNotEmpty.into()),
                (Node::File(_), Node::Dir(_)) => return Err(io::ErrorKind::IsADirectory.into()),
                (Node::Dir(_), Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
            }
        }
        if (old_dir, &old_name) != (new_dir, &new_name) {
            self.change_names(NameChange(vec![(old_dir, old_name, None), (new_dir, new_name, Some(moved))]));
        }
        Ok(())
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let names = &self.dir(self.resolve(path)?)?.current;
        let entry = |(name, &node): (&String, &Inode)| Entry { name: name.clone(), is_dir: self.dir(node).is_ok() };
        Ok(names.iter().map(entry).collect())
    }

    pub(super) fn exists(&self, path: &Path) -> io::Result<bool> {
        match self.resolve(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The bytes of a file, as a running program reads them.
    pub(super) fn bytes(&self, file: Inode) -> io::Result<&[u8]> {
        Ok(&self.file(file)?.current)
    }

    pub(super) fn write(&mut self, file: Inode, bytes: &[u8]) -> io::Result<()> {
        let file = self.file_mut(file)?;
        let change = DataChange::Write { at: file.current.len(), bytes: bytes.to_vec() };
        change.apply(&mut file.current);
        file.unsynced.push(change);
        Ok(())
    }

    pub(super) fn set_len(&mut self, file: Inode, len: usize) -> io::Result<()> {
        let file = self.file_mut(file)?;
        DataChange::SetLen(len).apply(&mut file.current);
        file.unsynced.push(DataChange::SetLen(len));
        Ok(())
    }

    pub(super) fn sync_file(&mut self, file: Inode) -> io::Result<()> {
        let file = self.file_mut(file)?;
        for change in file.unsynced.drain(..) {
            change.apply(&mut file.durable);
        }
        Ok(())
    }

    /// A sync that failed: some of the changes reach the disk, and no later sync brings the rest, although a running
    /// program goes on reading it. Linux does so.
    pub(super) fn fail_sync(&mut self, file: Inode, random: &mut Random) -> io::Result<()> {
        let file = self.file_mut(file)?;
        let changes = std::mem::take(&mut file.unsynced);
        survive(&mut file.durable, &changes, file.current.len(), random);
        Ok(())
    }

    /// Makes the changes durable that touch a directory; of a rename between two directories both halves.
    pub(super) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        let dir = self.resolve(path)?;
        self.dir(dir)?;
        for change in std::mem::take(&mut self.unsynced) {
            if change.0.iter().any(|(touched, ..)| *touched == dir) {
                apply_names(&mut self.nodes, &change, |dir| &mut dir.durable);
            } else {
                self.unsynced.push(change);
            }
        }
        Ok(())
    }

    /// Puts a file on the disk, durably, with its directories; or replaces its bytes.
    pub(super) fn put(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if let Some(parent) = path.parent() {
            self.create_dir_all(parent)?;
        }
        let inode = match self.resolve(path) {
            Ok(inode) => inode,
            Err(_) => self.create(path)?,
        };
        let file = self.file_mut(inode)?;
        *file = FileNode { durable: bytes.to_vec(), current: bytes.to_vec(), unsynced: Vec::new() };
        for change in std::mem::take(&mut self.unsynced) {
            apply_names(&mut self.nodes, &change, |dir| &mut dir.durable);
        }
        Ok(())
    }

    /// The disk after a loss of power.
    pub(super) fn crash(&self, random: &mut Random) -> Self {
        let mut disk = self.clone();
        let fate = Fate::draw(random);
        for change in std::mem::take(&mut disk.unsynced) {
            if fate.keeps(random) {
                apply_names(&mut disk.nodes, &change, |dir| &mut dir.durable);
            }
        }
        for node in &mut disk.nodes {
            match node {
                Node::Dir(dir) => dir.current = dir.durable.clone(),
                Node::File(file) => {
                    let changes = std::mem::take(&mut file.unsynced);
                    survive(&mut file.durable, &changes, file.current.len(), random);
                    file.current = file.durable.clone();
                }
            }
        }
        disk
    }
}

fn apply_names(nodes: &mut [Node], change: &NameChange, names: fn(&mut DirNode) -> &mut BTreeMap<String, Inode>) {
    for (dir, name, target) in &change.0 {
        if let Node::Dir(dir) = &mut nodes[*dir] {
            match target {
                Some(target) => names(dir).insert(name.clone(), *target),
                None => names(dir).remove(name),
            };
        }
    }
}

impl DataChange {
    fn apply(&self, data: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => write_at(data, *at, bytes),
            Self::SetLen(len) => data.resize(*len, 0),
        }
    }
}

/// Writes at an offset; a gap before it is filled with zeros.
fn write_at(data: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if data.len() < at + bytes.len() {
        data.resize(at + bytes.len(), 0);
    }
    data[at..at + bytes.len()].copy_from_slice(bytes);
}

/// How a crash treats changes that were not synced.
#[derive(Clone, Copy)]
enum Fate {
    AllKept,
    NoneKept,
    Mixed,
}

impl Fate {
    /// The extreme cases are as likely as all mixed ones together: they are what happens most.
    fn draw(random: &mut Random) -> Self {
        match random.below(4) {
            0 => Self::AllKept,
            1 => Self::NoneKept,
            _ => Self::Mixed,
        }
    }

    fn keeps(self, random: &mut Random) -> bool {
        match self {
            Self::AllKept => true,
            Self::NoneKept => false,
            Self::Mixed => random.one_in(2),
        }
    }
}

/// What remains of unsynced changes to a file: all, none, or each of them wholly, torn at any byte, or not at all; and
/// sometimes the length has grown but not the data, so that zeros or old bytes of the disk show.
fn survive(data: &mut Vec<u8>, changes: &[DataChange], full_len: usize, random: &mut Random) {
    if changes.is_empty() {
        return;
    }
    let fate = Fate::draw(random);
    for change in changes {
        match (fate, change) {
            (Fate::NoneKept, _) => {}
            (Fate::Mixed, DataChange::Write { at, bytes }) if random.one_in(2) => {
                write_at(data, *at, &bytes[..random.below(bytes.len() + 1)]);
            }
            _ if fate.keeps(random) => change.apply(data),
            _ => {}
        }
    }
    if matches!(fate, Fate::Mixed) && random.one_in(3) && data.len() < full_len {
        let garbage = random.one_in(2);
        data.resize_with(full_len, || if garbage { random.next() as u8 } else { 0 });
    }
}
