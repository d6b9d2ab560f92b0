use super::*;

const PLACE: u16 = 3;

impl Store {
    fn holds(&self, place: u16, attribute: &[u8]) -> bool {
        self.find(sum(place, attribute), place, attribute)
            .map(|kept| kept.came.store(true, Ordering::Relaxed))
            .is_some()
    }
}

/// Shows an attribute as often as it takes to be kept.
fn learn(store: &mut Store, place: u16, attribute: &[u8]) {
    store.keep(place, attribute, Finds::Nothing);
    assert!(!store.holds(place, attribute), "once is not twice");
    store.keep(place, attribute, Finds::Nothing);
}

#[test]
fn an_attribute_is_known_where_it_came_twice() {
    let mut store = Store::new(1 << 16);
    assert!(!store.holds(PLACE, b"method GET"), "an empty store has no slots");
    learn(&mut store, PLACE, b"method GET");
    assert!(store.holds(PLACE, b"method GET"));
    for (place, attribute) in
        [(PLACE + 1, &b"method GET"[..]), (PLACE, b"method GE"), (PLACE, b"method GET "), (PLACE, b"")]
    {
        assert!(!store.holds(place, attribute));
    }
    learn(&mut store, PLACE, b"");
    assert!(store.holds(PLACE, b""));
    let long = vec![b'a'; ATTRIBUTE_BYTES_MAX + 1];
    learn(&mut store, PLACE, &long);
    learn(&mut store, PLACE, &long[1..]);
    assert!(!store.holds(PLACE, &long) && store.holds(PLACE, &long[1..]));
    store.clear();
    assert!(!store.holds(PLACE, b"method GET"));
}

/// However many come, the bound holds, and those that go on coming stay.
#[test]
fn room_is_made_by_those_that_do_not_come() {
    const BYTES_MAX: usize = 16 << 10;
    let mut store = Store::new(BYTES_MAX);
    learn(&mut store, PLACE, b"method GET");
    let mut stayed = 0;
    for nth in 0..4_000 {
        let attribute = format!("path /orders/{nth}");
        store.keep(PLACE, attribute.as_bytes(), Finds::Nothing);
        store.keep(PLACE, attribute.as_bytes(), Finds::Nothing);
        assert!(store.cost() <= BYTES_MAX);
        assert!(store.holds(PLACE, attribute.as_bytes()), "{nth}");
        stayed += usize::from(store.holds(PLACE, b"method GET"));
        store.keep(PLACE, b"method GET", Finds::Nothing);
        store.keep(PLACE, b"method GET", Finds::Nothing);
    }
    // Another one takes its slot, or all came since room was made.
    assert!(stayed > 3_500, "{stayed}");
    assert!(!store.holds(PLACE, b"path /orders/0"));
}

#[test]
fn nothing_is_kept_in_no_bytes() {
    for bytes_max in [0, 1, ATTRIBUTE_COST] {
        let mut store = Store::new(bytes_max);
        learn(&mut store, PLACE, b"method GET");
        assert!(!store.holds(PLACE, b"method GET"), "{bytes_max}");
    }
}
