//! Nodes: by name where people and the arbiter see them, by number inside, and sets of them.
//!
//! Owns the pattern of names and the list of nodes that is the same on all of them. A number means
//! something in one process only and is never stored or sent. Next: `register`.

use std::fmt;

/// Nodes of a cluster at most.
pub const NODES_MAX: usize = 16;
/// Bytes of a name at most.
pub const NAME_BYTES_MAX: usize = 64;
/// Bytes of an address or a URL at most.
pub const PLACE_BYTES_MAX: usize = 256;

/// A node: its place in the list of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(u8);

impl Node {
    /// The node at a place of the list; none from [`NODES_MAX`] on.
    #[must_use]
    pub fn at(place: usize) -> Option<Self> {
        u8::try_from(place).ok().filter(|_| place < NODES_MAX).map(Self)
    }

    /// Its place in the list.
    #[must_use]
    pub fn place(self) -> usize {
        self.0.into()
    }
}

/// A set of nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct NodeSet(u16);

impl NodeSet {
    /// One node.
    #[must_use]
    pub fn of(node: Node) -> Self {
        Self(1 << node.0)
    }

    /// Whether a node is in it.
    #[must_use]
    pub fn has(self, node: Node) -> bool {
        self.0 & Self::of(node).0 != 0
    }

    /// Those that are in either.
    #[must_use]
    pub fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Those that are not in the other.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether all of the other are in it.
    #[must_use]
    pub fn contains(self, others: Self) -> bool {
        others.without(self).is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// By number, the lowest first.
    pub fn iter(self) -> impl Iterator<Item = Node> {
        (0..16).map(Node).filter(move |node| self.has(*node))
    }
}

impl FromIterator<Node> for NodeSet {
    fn from_iter<T: IntoIterator<Item = Node>>(nodes: T) -> Self {
        nodes.into_iter().fold(Self::default(), |set, node| set.with(Self::of(node)))
    }
}

/// The name of a cluster or a node: `[A-Za-z0-9._-]{1,64}`, not `.` or `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// Takes a text that matches the pattern.
    ///
    /// # Errors
    /// When it does not.
    pub fn parse(text: &str) -> Result<Self, NodeError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let sized = (1..=NAME_BYTES_MAX).contains(&text.len());
        let dots = matches!(text, "." | "..");
        if sized && !dots && text.bytes().all(plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(NodeError::Name(text.to_owned()))
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text names no node or no list of nodes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// No name.
    #[error("{0:?} is no name: 1 to 64 of A-Z a-z 0-9 . _ -")]
    Name(String),
    /// A member of the list is not a name and an address.
    #[error("{0:?} is not of the form n1=10.0.0.1:7171")]
    Form(String),
    /// A name or an address stands twice.
    #[error("{0} stands twice")]
    Twice(String),
    /// No node, or too many.
    #[error("there must be 1 to 16 nodes, and there are {0}")]
    Count(usize),
}

/// The nodes of a cluster, with the address at which each listens for the others: the same list,
/// in any order, on all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nodes {
    named: Vec<(Name, String)>,
}

impl Nodes {
    /// Takes `n1=10.0.0.1:7171,n2=10.0.0.2:7171`.
    ///
    /// # Errors
    /// When it is not of that form, names a node or an address twice, or too many.
    pub fn parse(text: &str) -> Result<Self, NodeError> {
        let members = text.split(',').map(str::trim).filter(|member| !member.is_empty());
        let named: Vec<_> = members.map(member).collect::<Result<_, _>>()?;
        if !(1..=NODES_MAX).contains(&named.len()) {
            return Err(NodeError::Count(named.len()));
        }
        for (place, (name, address)) in named.iter().enumerate() {
            let before = &named[..place];
            if before.iter().any(|(other, _)| other == name) {
                return Err(NodeError::Twice(name.to_string()));
            }
            if before.iter().any(|(_, other)| other == address) {
                return Err(NodeError::Twice(address.clone()));
            }
        }
        Ok(Self { named })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.named.len()
    }

    /// The node of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Node> {
        Node::at(self.named.iter().position(|(own, _)| own.as_str() == name)?)
    }

    /// A node's name; none for a node of another list.
    #[must_use]
    pub fn name(&self, node: Node) -> Option<&Name> {
        self.named.get(node.place()).map(|(name, _)| name)
    }

    /// Where it listens for the others; none for a node of another list.
    #[must_use]
    pub fn address(&self, node: Node) -> Option<&str> {
        self.named.get(node.place()).map(|(_, address)| address.as_str())
    }

    /// All, in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = (Node, &Name, &str)> {
        let placed = self.named.iter().enumerate();
        placed.filter_map(|(place, (name, address))| Some((Node::at(place)?, name, &**address)))
    }
}

fn member(text: &str) -> Result<(Name, String), NodeError> {
    let form = || NodeError::Form(text.to_owned());
    let (name, address) = text.split_once('=').ok_or_else(form)?;
    let (host, port) = address.rsplit_once(':').ok_or_else(form)?;
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let fits = !host.is_empty() && address.len() <= PLACE_BYTES_MAX;
    let plain = address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    if !is_port || !fits || !plain {
        return Err(form());
    }
    Ok((Name::parse(name)?, address.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(place: usize) -> Node {
        Node::at(place).expect("it is a place")
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_lists_it_by_number() {
        let set: NodeSet = [node(5), node(0), node(15)].into_iter().collect();
        assert_eq!(set.iter().map(Node::place).collect::<Vec<_>>(), [0, 5, 15]);
        assert_eq!(set.len(), 3);
        assert!(set.has(node(15)) && !set.has(node(1)));
        let less = set.without(NodeSet::of(node(5)));
        assert!(set.contains(less) && !less.contains(set));
        assert_eq!(less.with(NodeSet::of(node(5))), set);
    }

    #[test]
    fn there_is_no_node_beyond_the_last_place() {
        assert_eq!(Node::at(NODES_MAX), None);
        assert!(Node::at(NODES_MAX - 1).is_some());
    }

    #[test]
    fn a_list_gives_numbers_to_names() {
        let nodes = Nodes::parse("n1=10.0.0.1:7171, n2=[::1]:7171,").unwrap();
        assert_eq!(nodes.count(), 2);
        assert_eq!(nodes.find("n2"), Some(node(1)));
        assert_eq!(nodes.name(node(0)).map(Name::as_str), Some("n1"));
        assert_eq!(nodes.address(node(1)), Some("[::1]:7171"));
        assert_eq!((nodes.find("n3"), nodes.name(node(2))), (None, None));
    }

    #[test]
    fn a_list_that_is_not_plain_is_refused_with_the_member() {
        let refused = |text: &str| Nodes::parse(text).unwrap_err().to_string();
        assert!(refused("n1").contains("\"n1\" is not of the form"));
        assert!(refused("n1=host").contains("is not of the form"));
        assert!(refused("n1=host:65536").contains("is not of the form"));
        assert!(refused("n1=http://a:1").contains("is not of the form"));
        assert!(refused("n 1=a:1").contains("\"n 1\" is no name"));
        assert_eq!(refused("n1=a:1,n1=b:1"), "n1 stands twice");
        assert_eq!(refused("n1=a:1,n2=a:1"), "a:1 stands twice");
        assert!(refused("").contains("there are 0"));
        let many: Vec<_> = (0..17).map(|number| format!("n{number}=a:{number}")).collect();
        assert!(refused(&many.join(",")).contains("there are 17"));
    }
}
