//! What a kind may ask of the spec while it turns its node into desired resources.

use envc_core::{Address, Desired, Diagnostic, KindId, Marker, Span, Text};
use envc_syntax::{Node, Scalar};

use crate::{NameProblem, Worker};

/// The view of the spec that a kind sees. Kinds need not know the spec crate.
pub trait Lower {
    /// Interpolates a text into a place that others can see. A mistake is reported, and gives
    /// the text without its references.
    fn text(&mut self, value: &Scalar) -> Text;

    /// Interpolates a text that the account alone may see: secrets may stand in it.
    fn private_text(&mut self, value: &Scalar) -> Text;

    /// The text that a value comes to, where all of it is known before apply and nothing in it is
    /// a mistake: for checks that a mistake would only mislead.
    fn literal(&mut self, value: &Scalar) -> Option<String>;

    /// Interpolates a text that may refer only to what is known before anything exists.
    fn name_text(&mut self, value: &Scalar) -> String;

    /// The physical name of a resource: its `name=` property, else `{project}--{label}--{env}`.
    fn physical_name(&mut self, node: &Node) -> String;

    /// What is wrong with a physical name of so many characters where `max` are allowed: the sum,
    /// and the ways out.
    fn too_long(&self, node: &Node, length: usize, max: usize) -> NameProblem;

    /// A host inside the zone: the value, interpolated, with the zone appended where it is not
    /// there yet (`@` is the zone itself). `None` when the project has no zone; that is reported.
    fn host(&mut self, value: &Scalar) -> Option<String>;

    /// A pattern of addresses inside the zone, such as `{env}.{zone}/*`. What is wrong with it is
    /// reported.
    fn pattern(&mut self, value: &Scalar) -> Option<String>;

    /// Interpolates a plain variable of a Worker, which is no place for a secret. `word` is where the
    /// word `var` stands, if that is its only place.
    fn variable(&mut self, value: &Scalar, word: Option<Span>) -> Text;

    /// The port that is kept for the node with this name.
    fn port(&self, name: &str) -> Option<u16>;

    /// The declared resource of a kind that a value names. One that is not declared is reported.
    fn target(&mut self, kind: KindId, value: &Scalar) -> Option<Address>;

    /// Where a node of this word and name is declared.
    fn place_of(&self, word: &str, name: &str) -> Option<Span>;

    /// The physical name of another node.
    fn name_of(&mut self, address: &Address) -> Option<String>;

    /// All Workers of the environment; none before all of them are read.
    fn workers(&self) -> &[Worker];

    /// A resource of a kind that is not made of others; none before those are lowered.
    fn resource(&self, address: &Address) -> Option<&Desired>;

    /// The zone of the project.
    fn zone(&self) -> Option<&str>;

    /// The marker of a resource with this label.
    fn marker<'m>(&'m self, label: &'m str) -> Marker<'m>;

    /// True for what exists already in this type: nothing of it is made or changed.
    fn is_existing(&self, node: &Node) -> bool;

    /// True when the environment is protected.
    fn protected(&self) -> bool;

    /// Adds to a mistake which of the known words was meant by a value, or `none` where there are
    /// none.
    fn suggest(&self, error: Diagnostic, value: &Scalar, known: &[&str], none: &str) -> Diagnostic;

    /// Says that the spec asks for something that envc does not do yet: `check` passes, and apply
    /// refuses it.
    fn unsupported(&mut self, what: String, span: Span);

    /// Reports a mistake.
    fn report(&mut self, diagnostic: Diagnostic);
}
