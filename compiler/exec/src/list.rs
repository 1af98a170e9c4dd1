//! Lists of the API, page after page.
//!
//! Invariants:
//! - Nonsense never looks like an empty account: what is no list is an error.
//! - A list ends. Its pages, its items and the bytes of its answers are bounded, and a page without
//!   anything new is its end or, where the API says that there is more, an error.
//! - What an answer tells of the list, such as its length, is a hint by which pages are fetched side by
//!   side. What is on the pages counts.

use std::collections::BTreeSet;

use envc_core::{Digest, limits};
use envc_kinds::{Answer, Call, Kind, Listing, Meaning, Observed, Paging};
use futures::future::join_all;
use serde_json::Value as Json;

use crate::client::{CallClass, CallError, Client};

impl Client<'_> {
    /// All items of a list. Pages after the first are fetched at once where their number is known.
    pub async fn list(
        &self,
        listing: &Listing,
        kind: &dyn Kind,
    ) -> Result<Vec<Observed>, CallError> {
        let items = self.items(listing, kind).await?;
        Ok(items.iter().filter_map(|item| kind.observe(item)).collect())
    }

    /// The same, as the API gives them.
    pub async fn items(&self, listing: &Listing, kind: &dyn Kind) -> Result<Vec<Json>, CallError> {
        let mut pages = Pages::of(&listing.call, BOUNDS);
        match listing.paging {
            Paging::Numbered { per_page } => {
                self.numbered(&mut pages, per_page, kind).await?;
            }
            Paging::Cursor { per_page, field } => {
                self.by_cursor(&mut pages, per_page, field, kind).await?;
            }
            Paging::Whole => {
                let answer = self.call(&listing.call, Some(kind)).await?;
                let total = answer.page.total_count;
                pages.take(&listing.call, answer, total)?;
            }
        }
        Ok(pages.items)
    }

    /// A page past the end is empty. One that is not full is the last one, unless more are promised.
    async fn numbered(
        &self,
        pages: &mut Pages<'_>,
        per_page: u64,
        kind: &dyn Kind,
    ) -> Result<(), CallError> {
        let first_page = pages.list;
        let page = |number: u64| {
            first_page
                .clone()
                .query("page", number.to_string())
                .query("per_page", per_page.to_string())
        };
        let first = self.call(&page(1), Some(kind)).await?;
        let total = first.page.total_count;
        // The API may give less per page than was asked for.
        let size = first.page.per_page.unwrap_or(per_page).clamp(1, per_page.max(1));
        let promised = total.unwrap_or_default().div_ceil(size).min(limits::LIST_PAGES_MAX);
        let mut last = pages.take(&page(1), first, total)?;
        let mut number = 2;
        while last > 0 && (last >= size || number <= promised) {
            let left = promised.saturating_sub(number).saturating_add(1);
            let at_once = left.clamp(1, limits::PARALLELISM as u64);
            let calls: Vec<Call> = (number..number.saturating_add(at_once)).map(page).collect();
            let answers = join_all(calls.iter().map(|call| self.call(call, Some(kind)))).await;
            for (call, answer) in calls.iter().zip(answers) {
                // A page past the end is empty: something was deleted meanwhile.
                last = pages.take(call, answer?, Some(0))?;
                if last == 0 {
                    break;
                }
            }
            number = number.saturating_add(at_once);
        }
        Ok(())
    }

    async fn by_cursor(
        &self,
        pages: &mut Pages<'_>,
        per_page: u64,
        field: &str,
        kind: &dyn Kind,
    ) -> Result<(), CallError> {
        let mut cursor: Option<String> = None;
        loop {
            let mut call = pages.list.clone().query("per_page", per_page.to_string());
            if let Some(cursor) = &cursor {
                call = call.query("cursor", cursor);
            }
            let mut answer = self.call(&call, Some(kind)).await?;
            answer.result = answer.result.get_mut(field).map(Json::take).unwrap_or_default();
            let next = answer.page.cursor.take().filter(|next| Some(next) != cursor.as_ref());
            let items = pages.take(&call, answer, None)?;
            // The official SDKs end at an empty page, too, whatever cursor it comes with.
            match next {
                Some(next) if items > 0 => cursor = Some(next),
                _ => return Ok(()),
            }
        }
    }
}

/// How much of one list is read.
#[derive(Clone, Copy)]
struct Bounds {
    pages: u64,
    items: usize,
    bytes: usize,
}

const BOUNDS: Bounds = Bounds {
    pages: limits::LIST_PAGES_MAX,
    items: limits::LIST_ITEMS_MAX,
    bytes: limits::LIST_BYTES_MAX,
};

/// The pages of one list that were read.
struct Pages<'a> {
    bounds: Bounds,
    /// The list's call, without paging.
    list: &'a Call,
    items: Vec<Json>,
    /// Of each item a digest: no two items of a list are the same.
    seen: BTreeSet<Digest>,
    read: u64,
    bytes: usize,
}

impl<'a> Pages<'a> {
    fn of(list: &'a Call, bounds: Bounds) -> Self {
        Self { bounds, list, items: Vec::new(), seen: BTreeSet::new(), read: 0, bytes: 0 }
    }

    /// Takes what is new on a page; gives how many items the page has. `total` is the length of the
    /// whole list, as far as the answer tells it.
    fn take(&mut self, call: &Call, answer: Answer, total: Option<u64>) -> Result<u64, CallError> {
        let page = items_of(call, answer.result, total)?;
        let (count, known) = (page.len(), self.items.len());
        self.read += 1;
        self.bytes = self.bytes.saturating_add(answer.bytes);
        for item in page {
            if self.seen.insert(Digest::of(item.to_string())) {
                self.items.push(item);
            }
        }
        if count > 0 && self.items.len() == known {
            return Err(
                self.endless("the API gives the same page of this list again and again".into())
            );
        }
        let Bounds { pages, items, bytes } = self.bounds;
        let bounds = [
            (self.read > pages, pages, "pages"),
            (self.items.len() > items, items as u64, "items"),
            (self.bytes > bytes, bytes as u64, "bytes"),
        ];
        match bounds.into_iter().find(|(passed, _, _)| *passed) {
            Some((_, max, what)) => {
                Err(self.endless(format!("the API gives more than {max} {what} of this list")))
            }
            None => Ok(count as u64),
        }
    }

    /// It is not known what there is.
    fn endless(&self, message: String) -> CallError {
        CallError::new(self.list, CallClass::Endless, message)
    }
}

/// The items of a page; `total` is the length of the whole list, as far as the answer tells it.
///
/// `null` is an empty page only where `total` is 0. An empty array is an empty page whatever `total` is:
/// for some lists it is not documented whether the total counts items that the filter leaves out.
pub(crate) fn items_of(
    call: &Call,
    result: Json,
    total: Option<u64>,
) -> Result<Vec<Json>, CallError> {
    match result {
        Json::Array(items) => Ok(items),
        Json::Null if total == Some(0) => Ok(Vec::new()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => {
            Err(odd(call, "the API's answer is not a list"))
        }
    }
}

/// The error of an answer that does not tell what was asked for.
pub(crate) fn odd(call: &Call, message: &str) -> CallError {
    CallError::new(call, CallClass::Api(Meaning::Refused), message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_is_bounded_in_pages_items_and_bytes_and_the_error_names_it() {
        let list = Call::get(&["things"]);
        let bounds = Bounds { pages: 3, items: 5, bytes: 100 };
        let read = |page: &dyn Fn(u64) -> (Json, usize)| {
            let mut pages = Pages::of(&list, bounds);
            for number in 1.. {
                let (result, bytes) = page(number);
                let answer = Answer { result, bytes, ..Answer::default() };
                if let Err(error) = pages.take(&list, answer, None) {
                    assert_eq!(error.class, CallClass::Endless);
                    return (number, error.to_string());
                }
            }
            unreachable!("there are more numbers than pages")
        };
        let told = |what| format!("GET /things: the API gives more than {what} of this list");
        assert_eq!(read(&|n| (json!([n]), 1)), (4, told("3 pages")));
        assert_eq!(read(&|n| (json!([n, format!("{n}"), [n]]), 1)), (2, told("5 items")));
        assert_eq!(read(&|n| (json!([n]), 40)), (3, told("100 bytes")));
        assert_eq!(read(&|n| (json!([n]), usize::MAX)).0, 1);
    }

    #[test]
    fn what_stands_on_two_pages_is_one_item() {
        let list = Call::get(&["things"]);
        let mut pages = Pages::of(&list, BOUNDS);
        for result in [json!([1, 2]), json!([2, 3])] {
            let answer = Answer { result, ..Answer::default() };
            assert_eq!(pages.take(&list, answer, None), Ok(2));
        }
        assert_eq!(pages.items, [json!(1), json!(2), json!(3)]);
    }
}
