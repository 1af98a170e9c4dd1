//! What a kind may ask of the spec while it turns its node into desired resources.

use envc_core::{Diagnostic, Marker, Text};
use envc_syntax::{Node, Scalar};

use crate::NameProblem;

/// The view of the spec that a kind sees. Kinds need not know the spec crate.
pub trait Lower {
    /// Interpolates a text into a place that others can see. A mistake is reported, and gives
    /// the text without its references.
    fn text(&mut self, value: &Scalar) -> Text;

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

    /// The zone of the project.
    fn zone(&self) -> Option<&str>;

    /// The marker of a resource with this label.
    fn marker<'m>(&'m self, label: &'m str) -> Marker<'m>;

    /// True when the environment is protected.
    fn protected(&self) -> bool;

    /// Reports a mistake.
    fn report(&mut self, diagnostic: Diagnostic);
}
