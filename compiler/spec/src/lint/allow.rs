//! `allow`: where which warnings are silent.
//!
//! It holds for what stands in its block, and in an `environment` also for what is so in that type
//! alone. At the top it holds for the whole file.

use std::collections::BTreeSet;

use envc_core::Span;

use super::{Found, View, Warning, code, codes, slug, warning};
use crate::grammar::ALLOW;

/// One code of one `allow`.
#[derive(Debug)]
struct Allow<'a> {
    code: &'static str,
    /// Where the code is written.
    span: Span,
    /// The block it stands in; none at the top.
    block: Option<Span>,
    /// The types that take the block in, where it is an `environment`'s own.
    types: BTreeSet<&'a str>,
    /// It silenced something.
    useful: bool,
}

/// All that is allowed.
#[derive(Debug)]
pub(super) struct Allows<'a> {
    all: Vec<Allow<'a>>,
}

impl<'a> Allows<'a> {
    /// Reads them.
    pub(super) fn of(view: &'a View<'_>) -> Self {
        let mut all = Vec::new();
        view.walk(&mut |node, rule, around| {
            if rule.name != ALLOW.name {
                return;
            }
            let types = match around {
                [block] => view
                    .types
                    .iter()
                    .filter(|one| one.chain.iter().any(|other| std::ptr::eq(*other, *block)))
                    .map(|one| one.head.name.as_str())
                    .collect(),
                _ => BTreeSet::new(),
            };
            let block = around.last().map(|block| block.span);
            let codes = node.args.iter().filter_map(|arg| Some((code(arg.as_text()?)?, arg.span)));
            all.extend(codes.map(|(code, span)| Allow {
                code,
                span,
                block,
                types: types.clone(),
                useful: false,
            }));
        });
        Self { all }
    }

    /// True when a warning is silent, or nothing of it is left.
    pub(super) fn silence(&mut self, warning: &mut Warning<'_>) -> bool {
        let (code, place) = (warning.diagnostic.code, warning.diagnostic.span());
        let mut silent = false;
        let types = warning.types.clone();
        // Every one that holds is of use, also where another one holds around it.
        for allow in self.all.iter_mut().filter(|allow| allow.code == code) {
            let here = allow.holds_at(place);
            let there = types.iter().any(|name| allow.types.contains(name));
            allow.useful |= here || there;
            silent |= here;
            warning.types.retain(|name| !allow.types.contains(name));
        }
        silent || (!types.is_empty() && warning.types.is_empty())
    }

    /// The ones that silence nothing, of warnings that were looked for.
    pub(super) fn useless(&self, looked: &BTreeSet<&str>) -> Vec<Warning<'static>> {
        let useless = self.all.iter().filter(|allow| {
            !allow.useful && looked.contains(allow.code) && allow.code != codes::USELESS_ALLOW
        });
        useless
            .map(|allow| {
                let slug = slug(allow.code);
                let message = format!("there is no warning `{slug}` here to allow");
                let found = warning(codes::USELESS_ALLOW, allow.span, message);
                Warning::from(found.at("silences nothing").help("remove it"))
            })
            .collect()
    }
}

impl Allow<'_> {
    fn holds_at(&self, place: Span) -> bool {
        let inside = |block: Span| block.start <= place.start && place.end <= block.end;
        self.block.is_none_or(inside)
    }
}

/// Looked for when all else is done: what silences nothing is known then.
pub(super) fn nothing<'v>(_view: &'v View<'_>) -> Found<'v> {
    Found::Of(Vec::new())
}
