//! The index on each database: what was put in is found, what is gone is gone, and a lost index
//! begins anew.

use super::read::{Edit, Term};
use super::write::{BEGINNING, Doc, Progress, Step};
use crate::testing;

fn doc(room: i64, ord: i64, words: &[&str]) -> Doc {
    Doc { room, ord, words: words.iter().map(|word| ((*word).to_owned(), 7)).collect() }
}

async fn chunks(search: &super::Search, rooms: &[i64]) -> Vec<super::Chunk> {
    search.chunks(rooms, i64::MAX).await.unwrap().into_iter().map(|(chunk, _)| chunk).collect()
}

async fn found(search: &super::Search, rooms: &[i64], word: &str, prefix: bool) -> Vec<(i64, i64, bool)> {
    let chunks = chunks(search, rooms).await;
    let term = Term { word: word.to_owned(), prefix };
    let postings = search.postings(&chunks, &term).await.unwrap().0;
    let mut found: Vec<_> =
        postings.iter().map(|posting| (chunks[posting.chunk].room, posting.ord, posting.exact)).collect();
    found.sort_unstable();
    found
}

async fn learn(search: &super::Search, step: Step) {
    let from = search.progress(0).await.unwrap();
    let to = Progress { position: from.position + 1, ..from };
    assert!(search.apply(&step, from, to).await.unwrap());
    assert!(!search.apply(&step, from, to).await.unwrap(), "a step is taken once");
}

#[tokio::test]
async fn words_are_found_by_room_and_by_their_beginning() {
    for store in testing::stores().await {
        let search = store.search();
        let docs = vec![
            doc(1, 10, &["umowa", "#s5"]),
            doc(2, 11, &["umowy"]),
            doc(1, 12, &["umowami", "żet"]),
            doc(1, 13, &["u"]),
        ];
        learn(search, Step { docs, ..Step::default() }).await;
        assert_eq!(found(search, &[1, 2], "umowa", false).await, [(1, 10, true)]);
        assert_eq!(found(search, &[1, 2], "umowa", true).await, [(1, 10, true), (1, 12, false)]);
        assert_eq!(
            found(search, &[1, 2], "umow", true).await,
            [(1, 10, false), (1, 12, false), (2, 11, false)]
        );
        assert_eq!(found(search, &[2], "umow", true).await, [(2, 11, false)]);
        assert_eq!(found(search, &[3], "umow", true).await, []);
        let chunks = chunks(search, &[1, 2]).await;
        let marked = search.marked(&chunks, &["#s5".to_owned(), "#s6".to_owned()]).await.unwrap();
        assert_eq!(marked.iter().map(|posting| posting.ord).collect::<Vec<_>>(), [10]);
        store.close().await;
    }
}

#[tokio::test]
async fn chunks_fill_up_and_older_places_come_before_them() {
    for store in testing::stores().await {
        let search = store.search();
        let live: Vec<_> = (5_000..7_500).map(|ord| doc(1, ord, &["wort"])).collect();
        learn(search, Step { docs: live, ..Step::default() }).await;
        let walked: Vec<_> = (1..2_000).map(|ord| doc(1, ord, &["wort"])).collect();
        learn(search, Step { docs: walked, ..Step::default() }).await;
        let far = vec![doc(1, 5_000_000_000, &["wort"])];
        learn(search, Step { docs: far, ..Step::default() }).await;
        let places: Vec<_> = found(search, &[1], "wort", false).await.iter().map(|found| found.1).collect();
        let expected: Vec<i64> = (1..2_000).chain(5_000..7_500).chain([5_000_000_000]).collect();
        assert_eq!(places, expected);
        let chunks = search.chunks(&[1], i64::MAX).await.unwrap();
        let chunks: Vec<_> = chunks.iter().map(|(chunk, texts)| (chunk.base, *texts)).collect();
        assert_eq!(
            chunks,
            [(5_000_000_000, 1), (7_048, 452), (6_024, 1_024), (5_000, 1_024), (1_025, 975), (1, 1_024)]
        );
        assert_eq!(search.chunks(&[1], 6_000).await.unwrap().len(), 3);
        store.close().await;
    }
}

#[tokio::test]
async fn what_is_gone_is_gone_with_its_edits() {
    for store in testing::stores().await {
        let search = store.search();
        let docs = vec![
            doc(1, 10, &["alt", "rest"]),
            doc(1, 11, &["neu", "rest"]),
            doc(1, 12, &["rest"]),
            doc(2, 10, &["alt"]),
        ];
        let edits = vec![Edit { room: 1, root: 10, ord: 11 }];
        learn(search, Step { docs, edits: edits.clone(), ..Step::default() }).await;
        assert_eq!(search.edits(&[1, 2]).await.unwrap(), edits);
        learn(search, Step { gone: vec![(1, 10), (7, 7)], ..Step::default() }).await;
        assert_eq!(found(search, &[1, 2], "alt", true).await, [(2, 10, true)]);
        assert_eq!(found(search, &[1, 2], "neu", true).await, []);
        assert_eq!(found(search, &[1, 2], "rest", true).await, [(1, 12, true)]);
        assert_eq!(search.edits(&[1, 2]).await.unwrap(), []);
        store.close().await;
    }
}

#[tokio::test]
async fn a_lost_index_begins_with_a_walk() {
    for store in testing::stores().await {
        let search = store.search();
        let first = search.progress(40).await.unwrap();
        assert_eq!(first, Progress::walking(BEGINNING, 40));
        assert!(first.walks());
        let over = Progress { walk_after: 40, ..first };
        assert!(search.apply(&Step::default(), first, over).await.unwrap());
        assert_eq!(search.progress(90).await.unwrap(), over);
        assert!(!over.walks());
        search.lose().await;
        assert_eq!(search.progress(90).await.unwrap(), Progress::walking(BEGINNING, 90));
        store.close().await;
    }
}
