#[allow(clippy::type_complexity)]
fn fork(orders: DStream<Order>) -> (DStream<u64>, DStream<Order>) {
    static __FUNCTION: ::streamflow::__private::Function = ::streamflow::__private::Function {
        name: "fork",
        module: ::core::module_path!(),
        file: ::core::file!(),
    };
    #[allow(dead_code)]
    static __OPERATORS: [::streamflow::__private::Operator; 2usize] = [
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "filter",
            id: "large.filter",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "count",
            id: "number.count",
            line: ::core::line!(),
            column: ::core::column!(),
        },
    ];
    static __STAGE0: ::streamflow::__private::StagePlan = ::streamflow::__private::StagePlan {
        fused: &[
            ::streamflow::__private::Fused {
                operator: &__OPERATORS[0usize],
                depth: 0,
            },
        ],
    };
    #[allow(unused_imports)]
    use ::streamflow::__private::{
        HowFirst as _, HowId as _, HowSecond as _, HowView as _, Views as _,
    };
    let __scope = ::streamflow::__private::Scope::enter(&__FUNCTION);
    let __sink0 = ::streamflow::__private::sink::Collect::new();
    __sink0.yields::<Order>();
    let __port0_0 = __sink0.port();
    let __sink1 = ::streamflow::__private::sink::Count::new();
    __sink1.yields::<u64>();
    let __port1_0 = __sink1.port();
    #[allow(
        unused_braces,
        unused_parens,
        for_loops_over_fallibles,
        clippy::blocks_in_conditions,
        clippy::let_and_return,
        clippy::let_unit_value,
        clippy::manual_flatten,
        clippy::needless_borrow,
        clippy::redundant_locals,
        clippy::unit_arg,
        clippy::useless_conversion,
        clippy::explicit_counter_loop
    )]
    ::streamflow::__private::input(&orders)
        .stage(
            &__STAGE0,
            (__port0_0, __port1_0),
            {
                move |mut __part, __out| {
                    for __chunk in __part.chunks() {
                        for __x in __chunk {
                            if {
                                let __at0 = ::streamflow::__private::At(
                                    &__OPERATORS[0usize],
                                );
                                let __keep: bool = {
                                    let order = &__x;
                                    { order.amount > 1000 }
                                };
                                ::core::mem::forget(__at0);
                                __keep
                            } {
                                {
                                    let __at1 = ::streamflow::__private::At(
                                        &__OPERATORS[1usize],
                                    );
                                    __out.1.push(&__x);
                                    ::core::mem::forget(__at1);
                                }
                                {
                                    let __at0 = ::streamflow::__private::At(
                                        &__OPERATORS[0usize],
                                    );
                                    __out
                                        .0
                                        .push(
                                            ::streamflow::__private::declared::<
                                                Order,
                                            >({
                                                let __l = __x;
                                                (&&&&::streamflow::__private::tag(&__l)).how().lift(__l)
                                            }),
                                        );
                                    ::core::mem::forget(__at0);
                                }
                            }
                        }
                    }
                }
            },
        );
    let __n1 = __sink0.finish(&__OPERATORS[0usize]);
    let __n2 = __sink1.finish(&__OPERATORS[1usize]);
    (::streamflow::__private::declared_stream::<u64, _>(__n2), __n1)
}
