fn join(clicks: DStream<(u32, String)>, users: DStream<User>, names: StaticTable<u32, String>) -> DStream<(u32, (String, User))> {
    let named = clicks.left_outer_join(names).map_values(|(page, name)| format!("{page} {name:?}"));
    named.join(users.key_by(|user| user.id), 4)
}
