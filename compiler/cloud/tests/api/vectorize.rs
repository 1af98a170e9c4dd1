//! Vectorize indexes.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Served;

const INDEXES: &str = "vectorize/v2/indexes";

fn index(name: &str, dimensions: i64, metric: &str) -> Value {
    json!({ "name": name, "config": { "dimensions": dimensions, "metric": metric } })
}

async fn delete(served: &Served, name: &str) -> crate::support::Reply {
    let path = served.in_account(&format!("{INDEXES}/{name}"));
    served.call(Method::DELETE, &path, None).await
}

#[tokio::test]
async fn an_index_lives_and_dies_and_its_name_can_be_taken_again() {
    let served = Served::new().await;
    let path = format!("{INDEXES}/articles");
    served.get(&path).await.fails(404, 3000);
    delete(&served, "articles").await.fails(404, 3000);
    let made = served.post(INDEXES, index("articles", 768, "cosine")).await.ok();
    assert_eq!(made["config"], json!({ "dimensions": 768, "metric": "cosine" }));
    assert_eq!(served.get(&path).await.ok(), made);
    served.post(INDEXES, index("articles", 3, "euclidean")).await.fails(409, 3002);
    assert_eq!(served.get(INDEXES).await.ok(), json!([made]));

    delete(&served, "articles").await.ok();
    served.get(&path).await.fails(410, 3005);
    delete(&served, "articles").await.fails(410, 3005);
    assert_eq!(served.get(INDEXES).await.ok(), json!([]));
    let again = served.post(INDEXES, index("articles", 3, "dot-product")).await.ok();
    assert_eq!(served.get(INDEXES).await.ok(), json!([again]));
}

#[tokio::test]
async fn a_bad_name_and_a_bad_configuration_are_refused() {
    let served = Served::new().await;
    let long = "a".repeat(65);
    for name in ["", "Articles", "1st", "-a", "a_b", "a b", &long] {
        served.post(INDEXES, index(name, 3, "cosine")).await.fails(400, 3001);
    }
    for (dimensions, metric) in [(0, "cosine"), (-1, "cosine"), (1537, "cosine"), (3, "Cosine")] {
        served.post(INDEXES, index("a", dimensions, metric)).await.fails(400, 3003);
    }
    served.post(INDEXES, json!({ "name": "a" })).await.fails(400, 3003);
    served.post(INDEXES, index(&"a".repeat(64), 1536, "cosine")).await.ok();
}
