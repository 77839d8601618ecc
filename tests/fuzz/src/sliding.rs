//! Requests of sliding sync: what is taken keeps to the bounds.

use kontor_flows::sliding::request::Request;

pub(crate) fn run(data: &[u8]) {
    let Ok(request) = serde_json::from_slice::<Request>(data) else { return };
    if request.check().is_err() {
        return;
    }
    assert!(request.lists.len() <= 100 && request.room_subscriptions.len() <= 500);
    assert!(request.conn_id.is_none_or(|id| id.len() <= 255));
    for list in request.lists.values() {
        let places = list.places();
        assert!(places.len() <= 20 && places.iter().all(|(first, last)| first <= last));
        assert!(list.required_state.len() <= 200);
        let texts = list.required_state.iter().flat_map(|(kind, key)| [kind, key]);
        assert!(texts.into_iter().all(|text| text.len() <= 255 && !text.contains('\0')));
    }
}
