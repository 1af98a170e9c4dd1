//! Page-style pagination: `page`, `per_page`, `result_info`.
//!
//! Facts: `page` counts from 1; each list has its own bounds of `per_page` (the table stands in
//! each product's module); a page past the end is an empty page, which is the only place where
//! one of the official SDKs stops.

use serde_json::{Value, json};

use crate::envelope::Problem;
use crate::request::Query;

/// The bounds of one list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) default: u32,
    pub(crate) min: u32,
    pub(crate) max: u32,
    /// The product's code for a bad request.
    pub(crate) code: i64,
}

/// One requested page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    page: u32,
    per_page: u32,
}

impl Page {
    /// Reads and checks the request.
    pub(crate) fn parse(query: &Query, bounds: Bounds) -> Result<Self, Problem> {
        let page = number(query, "page", 1, bounds.code)?;
        let per_page = number(query, "per_page", bounds.default, bounds.code)?;
        if page == 0 {
            return Err(Problem::new(400, bounds.code, "page must be at least 1"));
        }
        if per_page < bounds.min || per_page > bounds.max {
            let text = format!("per_page must be between {} and {}", bounds.min, bounds.max);
            return Err(Problem::new(400, bounds.code, text));
        }
        Ok(Self { page, per_page })
    }

    /// `LIMIT` of the page.
    pub(crate) fn limit(self) -> i64 {
        i64::from(self.per_page)
    }

    /// `OFFSET` of the page.
    pub(crate) fn offset(self) -> i64 {
        (i64::from(self.page) - 1).saturating_mul(self.limit())
    }

    /// The page out of a list that is already in memory.
    pub(crate) fn cut<T>(self, all: Vec<T>) -> Vec<T> {
        let skip = usize::try_from(self.offset()).unwrap_or(usize::MAX);
        let take = usize::try_from(self.per_page).unwrap_or(usize::MAX);
        all.into_iter().skip(skip).take(take).collect()
    }

    /// `result_info` of the page, of a product that does not tell how many pages there are.
    pub(crate) fn brief(self, count: usize, total: i64) -> Value {
        let mut info = self.info(count, total);
        if let Some(map) = info.as_object_mut() {
            map.remove("total_pages");
        }
        info
    }

    /// `result_info` of the page.
    pub(crate) fn info(self, count: usize, total: i64) -> Value {
        let pages = total.div_euclid(self.limit()) + i64::from(total % self.limit() != 0);
        json!({
            "page": self.page,
            "per_page": self.per_page,
            "count": count,
            "total_count": total,
            "total_pages": pages,
        })
    }
}

/// A number of the query, or its default.
pub(crate) fn number(query: &Query, key: &str, default: u32, code: i64) -> Result<u32, Problem> {
    match query.get(key) {
        None | Some("") => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_| Problem::new(400, code, format!("{key} must be a whole number"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { default: 20, min: 5, max: 50, code: 1 };

    fn page(query: &str) -> Result<Page, Problem> {
        Page::parse(&Query::parse(query), BOUNDS)
    }

    #[test]
    fn bounds_hold_at_both_ends() {
        assert!(page("per_page=5").is_ok());
        assert!(page("per_page=50").is_ok());
        assert!(page("per_page=4").is_err());
        assert!(page("per_page=51").is_err());
        assert!(page("page=0").is_err());
        assert!(page("page=x").is_err());
    }

    #[test]
    fn a_page_past_the_end_is_empty() {
        let page = page("page=9&per_page=5").unwrap();
        assert!(page.cut(vec![1, 2, 3]).is_empty());
        let info = page.info(0, 11);
        assert_eq!(info["total_pages"], 3);
        assert_eq!(info["count"], 0);
    }

    #[test]
    fn a_huge_page_number_does_not_overflow() {
        assert!(page("page=4294967295&per_page=50").unwrap().offset() > 0);
    }
}
