#[allow(clippy::type_complexity)]
fn windows(
    pairs: DStream<(String, u64)>,
    keep: u64,
) -> (DStream<(String, u64)>, DStream<u64>) {
    static __FUNCTION: ::streamflow::__private::Function = ::streamflow::__private::Function {
        name: "windows",
        module: ::core::module_path!(),
        file: ::core::file!(),
    };
    #[allow(dead_code)]
    static __OPERATORS: [::streamflow::__private::Operator; 2usize] = [
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "reduce_by_key_and_window",
            id: "result.0.reduce_by_key_and_window",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "count_by_window",
            id: "result.1.count_by_window",
            line: ::core::line!(),
            column: ::core::column!(),
        },
    ];
    static __STAGE0: ::streamflow::__private::StagePlan = ::streamflow::__private::StagePlan {
        fused: &[],
    };
    static __STAGE1: ::streamflow::__private::StagePlan = ::streamflow::__private::StagePlan {
        fused: &[],
    };
    #[allow(unused_imports)]
    use ::streamflow::__private::{
        HowFirst as _, HowId as _, HowSecond as _, HowView as _, Views as _,
    };
    #[allow(unused_imports)]
    use ::streamflow::__private::{HasCodec as _, NoCodec as _};
    let __scope = ::streamflow::__private::Scope::enter(&__FUNCTION);
    ::streamflow::__private::shared(&pairs);
    let __sink0 = ::streamflow::__private::sink::CountByWindow::new();
    __sink0.yields::<u64>();
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
    ::streamflow::__private::input(&pairs)
        .stage(
            &__STAGE0,
            (__port0_0,),
            {
                move |mut __part, __out| {
                    for __chunk in __part.chunks() {
                        for __x in __chunk {
                            let __at1 = ::streamflow::__private::At(
                                &__OPERATORS[1usize],
                            );
                            __out.0.push(&__x);
                            ::core::mem::forget(__at1);
                        }
                    }
                }
            },
        );
    let __n1 = pairs.window_by_parent(::core::time::Duration::new(60u64, 0u32));
    __n1.keep_with((&&__n1.block_tag()).codec());
    let __sink1 = ::streamflow::__private::sink::ReduceByKeyAndWindowInverse::new();
    __sink1.yields::<(String, u64)>();
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
    ::streamflow::__private::input(&__n1)
        .stage(
            &__STAGE1,
            (__port1_0,),
            {
                move |mut __part, __out| {
                    for __chunk in __part.chunks() {
                        for __x in __chunk {
                            let (__k, __v) = ::streamflow::__private::pair_of::reduce_by_key_and_window(
                                __x,
                            );
                            let __at0 = ::streamflow::__private::At(
                                &__OPERATORS[0usize],
                            );
                            __out
                                .0
                                .push(
                                    {
                                        let __l = __k;
                                        (&&&&::streamflow::__private::tag(&__l)).how().lift(__l)
                                    },
                                    {
                                        let __l = __v;
                                        (&&&&::streamflow::__private::tag(&__l)).how().lift(__l)
                                    },
                                );
                            ::core::mem::forget(__at0);
                        }
                    }
                }
            },
        );
    let __n2 = __sink1
        .finish(
            &__OPERATORS[0usize],
            move |a, b| a + b,
            move |a, b| a - b,
            ::core::time::Duration::new(7200u64, 0u32),
            ::core::option::Option::None,
            ::core::option::Option::None,
            {
                #[allow(unused_variables)]
                let keep = ::streamflow::__private::capture(&keep);
                move |(_, count)| *count > keep
            },
        );
    __n2.keep_with((&&__n2.pair_tag()).codec());
    let __n3 = __sink0
        .finish(
            &__OPERATORS[1usize],
            ::core::time::Duration::new(30u64, 0u32),
            ::core::option::Option::Some(Duration::from_secs(5)),
        );
    (
        ::streamflow::__private::declared_stream::<(String, u64), _>(__n2),
        ::streamflow::__private::declared_stream::<u64, _>(__n3),
    )
}
