#[allow(clippy::type_complexity)]
fn state(
    pairs: DStream<(String, u64)>,
    limit: u64,
) -> (DStream<u64>, DStream<(String, u64)>) {
    static __FUNCTION: ::streamflow::__private::Function = ::streamflow::__private::Function {
        name: "state",
        module: ::core::module_path!(),
        file: ::core::file!(),
    };
    #[allow(dead_code)]
    static __OPERATORS: [::streamflow::__private::Operator; 2usize] = [
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "map_with_state",
            id: "totals.map_with_state",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "update_state_by_key",
            id: "output.update_state_by_key",
            line: ::core::line!(),
            column: ::core::column!(),
        },
    ];
    static __STAGE0: ::streamflow::__private::StagePlan = ::streamflow::__private::StagePlan {
        fused: &[],
    };
    #[allow(unused_imports)]
    use ::streamflow::__private::{
        HowFirst as _, HowId as _, HowSecond as _, HowView as _, Views as _,
    };
    #[allow(unused_imports)]
    use ::streamflow::__private::{HasCodec as _, NoCodec as _};
    let __scope = ::streamflow::__private::Scope::enter(&__FUNCTION);
    let __sink0 = ::streamflow::__private::sink::MapWithStatePlain::new();
    __sink0.yields::<u64>();
    let __port0_0 = __sink0.port();
    let __sink1 = ::streamflow::__private::sink::UpdateStateByKeyWithTime::new();
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
    ::streamflow::__private::input(&pairs)
        .stage(
            &__STAGE0,
            (__port0_0, __port1_0),
            {
                move |mut __part, __out| {
                    for __chunk in __part.chunks() {
                        for __x in __chunk {
                            {
                                let __x = ::streamflow::__private::fork_to::map_with_state(
                                    &__x,
                                );
                                let (__k, __v) = ::streamflow::__private::pair_of::map_with_state(
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
                            {
                                let (__k, __v) = ::streamflow::__private::pair_of::update_state_by_key(
                                    __x,
                                );
                                let __at1 = ::streamflow::__private::At(
                                    &__OPERATORS[1usize],
                                );
                                __out
                                    .1
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
                                ::core::mem::forget(__at1);
                            }
                        }
                    }
                }
            },
        );
    let __states1 = __sink0
        .finish_function(
            &__OPERATORS[0usize],
            {
                #[allow(unused_variables)]
                let limit = ::streamflow::__private::capture(&limit);
                move |_, value, total: &mut State<u64>| next(value, total, limit)
            },
            |__spec| __spec.timeout(::core::time::Duration::new(1800u64, 0u32)),
        );
    __states1.keep_with((&&__states1.pair_tag()).codec());
    let __n4: ::streamflow::DStream<(String, u64)> = __states1.state_snapshots();
    let __n1 = __states1.into_mapped();
    let __n2 = __sink1
        .finish(
            &__OPERATORS[1usize],
            move |time, key, values, state| Some(time.len()),
            ::core::iter::empty(),
            ::core::option::Option::None,
        );
    __n2.keep_with((&&__n2.pair_tag()).codec());
    __n2.print(10);
    (::streamflow::__private::declared_stream::<u64, _>(__n1), __n4)
}
