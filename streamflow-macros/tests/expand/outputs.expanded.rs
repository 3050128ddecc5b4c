/// Prints the longest lines, and reports all.
#[allow(clippy::type_complexity)]
pub fn outputs(lines: DStream<str>, top: usize) {
    static __FUNCTION: ::streamflow::__private::Function = ::streamflow::__private::Function {
        name: "outputs",
        module: ::core::module_path!(),
        file: ::core::file!(),
    };
    #[allow(dead_code)]
    static __OPERATORS: [::streamflow::__private::Operator; 2usize] = [
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "map",
            id: "longest.map",
            line: ::core::line!(),
            column: ::core::column!(),
        },
        ::streamflow::__private::Operator {
            function: &__FUNCTION,
            name: "top_by",
            id: "longest.top_by",
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
    println!("declared");
    ::streamflow::__private::shared(&lines);
    let __sink0 = ::streamflow::__private::sink::TopBy::new();
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
    ::streamflow::__private::input(&lines)
        .stage(
            &__STAGE0,
            (__port0_0,),
            {
                move |mut __part, __out| {
                    for __chunk in __part.chunks() {
                        for __x in __chunk {
                            let line = __x;
                            let __at0 = ::streamflow::__private::At(
                                &__OPERATORS[0usize],
                            );
                            let __x = { (line.len(), line) };
                            ::core::mem::forget(__at0);
                            let __at1 = ::streamflow::__private::At(
                                &__OPERATORS[1usize],
                            );
                            __out
                                .0
                                .push({
                                    let (__t0, __t1) = __x;
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
                                });
                            ::core::mem::forget(__at1);
                        }
                    }
                }
            },
        );
    let __n2 = __sink0.finish(&__OPERATORS[1usize], top, move |(length, _)| *length);
    ::streamflow::__private::shared(&__n2);
    __n2.print(10);
    __n2.foreach_batch({
        #[allow(unused_variables)]
        let top = ::streamflow::__private::capture(&top);
        move |batch| assert!(batch.count() <= top)
    });
    let __n6 = clean(::core::clone::Clone::clone(&lines));
    let () = report(::core::clone::Clone::clone(&__n6), top);
}
