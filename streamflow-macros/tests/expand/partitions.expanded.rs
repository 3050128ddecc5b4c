#[allow(clippy::type_complexity)]
fn partitions(xs: DStream<u32>) -> (DStream<u32>, DStream<Vec<u32>>) {
    static __FUNCTION: ::streamflow::__private::Function = ::streamflow::__private::Function {
        name: "partitions",
        module: ::core::module_path!(),
        file: ::core::file!(),
    };
    #[allow(dead_code)]
    static __OPERATORS: [::streamflow::__private::Operator; 3usize] = [
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "map",
            id: "result.0.map",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "map_partitions",
            id: "result.0.map_partitions",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "glom",
            id: "result.1.glom",
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
            ::streamflow::__private::Fused {
                operator: &__OPERATORS[1usize],
                depth: 1,
            },
            ::streamflow::__private::Fused {
                operator: &__OPERATORS[2usize],
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
    __sink0.yields::<u32>();
    let __port0_0 = __sink0.port();
    let __sink1 = ::streamflow::__private::sink::Collect::new();
    __sink1.yields::<Vec<u32>>();
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
    ::streamflow::__private::input(&xs)
        .stage(
            &__STAGE0,
            (__port0_0, __port1_0),
            {
                move |mut __part, __out| {
                    let mut __buffer0 = ::std::vec::Vec::new();
                    let mut __buffer1 = ::std::vec::Vec::new();
                    for __chunk in __part.chunks() {
                        for __x in __chunk {
                            {
                                let __x = ::streamflow::__private::fork_to::map(&__x);
                                let x = __x;
                                let __at0 = ::streamflow::__private::At(
                                    &__OPERATORS[0usize],
                                );
                                let __x = { x + 1 };
                                ::core::mem::forget(__at0);
                                __buffer0
                                    .push(
                                        ::streamflow::__private::Lifted::own({
                                            let __l = __x;
                                            (&&&&::streamflow::__private::tag(&__l)).how().lift(__l)
                                        }),
                                    );
                            }
                            {
                                __buffer1
                                    .push(
                                        ::streamflow::__private::Lifted::own({
                                            let __l = __x;
                                            (&&&&::streamflow::__private::tag(&__l)).how().lift(__l)
                                        }),
                                    );
                            }
                        }
                    }
                    {
                        let xs = __buffer0.into_iter();
                        let __at1 = ::streamflow::__private::At(&__OPERATORS[1usize]);
                        for __x in { [xs.sum::<u32>()] } {
                            let __at1 = ::streamflow::__private::At(
                                &__OPERATORS[1usize],
                            );
                            __out
                                .0
                                .push(
                                    ::streamflow::__private::declared::<
                                        u32,
                                    >({
                                        let __l = __x;
                                        (&&&&::streamflow::__private::tag(&__l)).how().lift(__l)
                                    }),
                                );
                            ::core::mem::forget(__at1);
                        }
                        ::core::mem::forget(__at1);
                    }
                    {
                        let __x = __buffer1;
                        let __at2 = ::streamflow::__private::At(&__OPERATORS[2usize]);
                        __out
                            .1
                            .push(
                                ::streamflow::__private::declared::<
                                    Vec<u32>,
                                >({
                                    let __l = __x;
                                    (&&&&::streamflow::__private::tag(&__l)).how().lift(__l)
                                }),
                            );
                        ::core::mem::forget(__at2);
                    }
                }
            },
        );
    let __n2 = __sink0.finish(&__OPERATORS[1usize]);
    let __n3 = __sink1.finish(&__OPERATORS[2usize]);
    (__n2, __n3)
}
