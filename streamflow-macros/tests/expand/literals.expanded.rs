#[allow(clippy::type_complexity)]
fn literals(words: DStream<str>) -> DStream<(String, (u64, u8))> {
    static __FUNCTION: ::streamflow::__private::Function = ::streamflow::__private::Function {
        name: "literals",
        module: ::core::module_path!(),
        file: ::core::file!(),
    };
    #[allow(dead_code)]
    static __OPERATORS: [::streamflow::__private::Operator; 3usize] = [
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "map",
            id: "pairs.map",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "reduce_by_key",
            id: "pairs.reduce_by_key",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "top_by",
            id: "result.top_by",
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
    static __STAGE1: ::streamflow::__private::StagePlan = ::streamflow::__private::StagePlan {
        fused: &[],
    };
    #[allow(unused_imports)]
    use ::streamflow::__private::{
        HowFirst as _, HowId as _, HowSecond as _, HowView as _, Views as _,
    };
    let __scope = ::streamflow::__private::Scope::enter(&__FUNCTION);
    let __sink0 = ::streamflow::__private::sink::ReduceByKey::new();
    __sink0.yields::<(String, (u64, u8))>();
    let __port0_0 = __sink0.port();
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
    ::streamflow::__private::input(&words)
        .stage(
            &__STAGE0,
            (__port0_0,),
            {
                move |mut __part, __out| {
                    for __chunk in __part.chunks() {
                        for __x in __chunk {
                            let word = __x;
                            let __at0 = ::streamflow::__private::At(
                                &__OPERATORS[0usize],
                            );
                            let __x = { (word, (1, 2)) };
                            ::core::mem::forget(__at0);
                            let (__k, __v) = ::streamflow::__private::pair_of::reduce_by_key(
                                __x,
                            );
                            let __at1 = ::streamflow::__private::At(
                                &__OPERATORS[1usize],
                            );
                            __out
                                .0
                                .push(
                                    {
                                        let __l = __k;
                                        (&&&&::streamflow::__private::tag(&__l)).how().lift(__l)
                                    },
                                    {
                                        let (__t0, __t1) = __v;
                                        (
                                            {
                                                let __l = __t0;
                                                (&&&&::streamflow::__private::tag(&__l)).how().lift(__l)
                                            },
                                            {
                                                let __l = __t1;
                                                (&&&&::streamflow::__private::tag(&__l)).how().lift(__l)
                                            },
                                        )
                                    },
                                );
                            ::core::mem::forget(__at1);
                        }
                    }
                }
            },
        );
    let __n2 = __sink0
        .finish(&__OPERATORS[1usize], move |a, _| a, ::core::option::Option::None);
    let __sink1 = ::streamflow::__private::sink::TopBy::new();
    __sink1.yields::<(String, (u64, u8))>();
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
    ::streamflow::__private::input(&__n2)
        .stage(
            &__STAGE1,
            (__port1_0,),
            {
                move |mut __part, __out| {
                    for __chunk in __part.chunks() {
                        for __x in __chunk {
                            let __at2 = ::streamflow::__private::At(
                                &__OPERATORS[2usize],
                            );
                            __out
                                .0
                                .push({
                                    let __l = __x;
                                    (&&&&::streamflow::__private::tag(&__l)).how().lift(__l)
                                });
                            ::core::mem::forget(__at2);
                        }
                    }
                }
            },
        );
    let __n3 = __sink1.finish(&__OPERATORS[2usize], 3, move |(_, n)| *n);
    ::streamflow::__private::declared_stream::<(String, (u64, u8)), _>(__n3)
}
