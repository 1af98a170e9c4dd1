//! Cron triggers of a Worker: one document for each script.
//!
//! Endpoint: `GET|PUT /accounts/{a}/workers/scripts/{name}/schedules`. A PUT takes the bare list and
//! replaces the whole; an empty list takes all triggers away. They go with the script.
//! Source: Cloudflare's OpenAPI document, checked November 2026.

use envc_core::KindId;
use serde_json::{Value as Json, json};

use super::{cron, paths::scripts};
use crate::{
    Attr, Call, Codes, Errors, Facts, Kind, Mutability, Normal, Observed, OfParent, Place, Wanted,
    api, normal::spelt,
};

/// The kind.
#[derive(Debug)]
pub(crate) struct WorkerCrons;

static ATTRS: &[Attr] = &[Attr {
    name: "crons",
    mutability: Mutability::InPlace,
    samples: &["[\"*/5 * * * *\"]", "[\"0 6 * * *\",\"30 18 * * 6\"]"],
    normal: Normal::Form {
        form: cron::forms,
        spellings: &[
            spelt("[\"*/5  *\\t* * *\"]", "[\"*/5 * * * *\"]"),
            spelt("[\"30 18 * * 6\",\"0 6 * * *\"]", "[\"0 6 * * *\",\"30 18 * * 6\"]"),
            spelt("[\"0 6 * * mon-fri\"]", "[\"0 6 * * 2-6\"]"),
            spelt("[\"0 6 * * MON,Tue,wed,4-6\"]", "[\"0 6 * * MON-FRI\"]"),
            spelt("[\"0 0 * jan-dec fri#2\"]", "[\"0 0 * * 6#2\"]"),
            spelt("[\"0 0 15w */1 *\",\"0 0 15W * *\"]", "[\"0 0 15W * *\"]"),
        ],
    },
}];

static FACTS: Facts = Facts {
    cures: &[(
        10063,
        "open Workers in the dashboard once, which gives the account its workers.dev subdomain",
    )],
    freely_deleted: "an empty list takes all triggers away",
    of_parent: Some(OfParent { kind: KindId::Worker, read }),
    ..Facts::of(
        KindId::WorkerCrons,
        "list of cron triggers",
        "Workers Scripts Write",
        ATTRS,
        Errors::of(
            Codes::Never("a PUT replaces what is there"),
            Codes::Any(&[10007, 10090, 10092]),
        ),
    )
};

impl Kind for WorkerCrons {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn observe(&self, item: &Json) -> Option<Observed> {
        let schedules = item.get("schedules")?.as_array()?;
        if schedules.is_empty() {
            return None; // every script has an empty list
        }
        let crons: Vec<String> =
            schedules.iter().filter_map(|schedule| api::text(schedule, "cron")).collect();
        Some(Observed {
            fields: [("crons".to_owned(), json!(crons))].into(),
            ..Observed::default()
        })
    }

    fn made(&self, wanted: &Wanted, _result: &Json) -> Option<Observed> {
        Some(Observed { id: wanted.parent_id.clone(), ..Observed::default() })
    }

    fn create(&self, place: &Place, wanted: &Wanted) -> Call {
        let crons = wanted.fields.get("crons").and_then(Json::as_array);
        // Blanks are one of what the API may not take as a person writes them.
        let words = |cron: &str| cron.split_whitespace().collect::<Vec<_>>().join(" ");
        let crons = crons.into_iter().flatten().filter_map(Json::as_str);
        let body = crons.map(|cron| json!({ "cron": words(cron) })).collect();
        Call::put(&scripts(&place.account, &[&wanted.parent_id, "schedules"]), body)
    }

    fn update(&self, place: &Place, id: &str, wanted: &Wanted, _changed: &[String]) -> Call {
        self.create(place, &Wanted { parent_id: id.to_owned(), ..wanted.clone() })
    }

    fn delete(&self, place: &Place, id: &str) -> Option<Call> {
        Some(Call::put(&scripts(&place.account, &[id, "schedules"]), json!([])))
    }
}

fn read(place: &Place, script: &str) -> Call {
    Call::get(&scripts(&place.account, &[script, "schedules"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::same;

    #[test]
    fn what_is_sent_is_what_is_read_whatever_the_order() {
        let wanted = Wanted {
            fields: [("crons".to_owned(), json!(["*/5 * * * *", "0 6 * * *"]))].into(),
            parent_id: "shop-edge".into(),
            ..Wanted::default()
        };
        let place = Place { account: "a".into(), ..Place::default() };
        let call = WorkerCrons.create(&place, &wanted);
        assert_eq!(call.target(), "/accounts/a/workers/scripts/shop-edge/schedules");
        let mut schedules = call.body.unwrap();
        assert_eq!(schedules, json!([{ "cron": "*/5 * * * *" }, { "cron": "0 6 * * *" }]));
        schedules.as_array_mut().unwrap().reverse();
        let seen = WorkerCrons.observe(&json!({ "schedules": schedules })).unwrap();
        let (sent, told) = (&wanted.fields["crons"], &seen.fields["crons"]);
        assert!(same(&WorkerCrons, "crons", (sent, &wanted.fields), (told, &seen.fields)));
        assert_eq!(WorkerCrons.observe(&json!({ "schedules": [] })), None);
    }
}
