fn fork(orders: DStream<Order>) -> (DStream<u64>, DStream<Order>) {
    let large = orders.filter(|order| order.amount > 1000);
    let number = large.count();
    (number, large)
}
