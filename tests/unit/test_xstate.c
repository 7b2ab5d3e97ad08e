/* test_xstate.c - XState configurations to machine documents and back. */

#include "machine_helpers.h"

#include <arvo/document.h>
#include <arvo/xstate.h>

static arvo_xstate_report report;

static const arvo_json *
imported(const char *config)
{
    const arvo_json *out = NULL;
    arvo_error err = { 0 };
    if (arvo_xstate_import(json(config), arena, &out, &report, &err) != ARVO_OK)
        fail_msg("%s: %s", config, err.text);
    return out;
}

static const arvo_json *
exported(const arvo_json *document)
{
    const arvo_json *out = NULL;
    arvo_error err = { 0 };
    if (arvo_xstate_export(document, arena, &out, &report, &err) != ARVO_OK)
        fail_msg("%s: %s", text_of(document), err.text);
    return out;
}

static void
assert_json(const arvo_json *value, const char *expected)
{
    assert_string_equal(text_of(value), quoted(expected).ptr);
}

/* Some note with this place and these words. */
static void
assert_note(bool is_error, const char *pointer, const char *words)
{
    for (size_t i = 0; i < report.note_count; i++) {
        const arvo_xstate_note *note = &report.notes[i];
        const char *text = arvo_arena_str_dup(arena, note->text).ptr;
        if (note->is_error == is_error && arvo_str_is(note->pointer, pointer) &&
            strstr(text, words) != NULL)
            return;
    }
    for (size_t i = 0; i < report.note_count; i++)
        printf("%.*s: %.*s\n", ARVO_FMT(report.notes[i].pointer), ARVO_FMT(report.notes[i].text));
    fail_msg("nothing says '%s' at %s", words, pointer);
}

static void
assert_refused(const char *config, const char *pointer, const char *words)
{
    const arvo_json *out = NULL;
    arvo_error err = { 0 };
    const arvo_status st = arvo_xstate_import(json(config), arena, &out, &report, &err);
    if (st != ARVO_E_UNSUPPORTED)
        fail_msg("%s: %s", config, arvo_status_name(st));
    assert_null(out);
    assert_true(report.error_count > 0);
    assert_true(err.text[0] != '\0');
    assert_note(true, pointer, words);
}

static void
assert_round_trip(const char *document)
{
    const arvo_json *const value = json(document);
    const arvo_json *const config = exported(value);
    const arvo_json *again = NULL;
    arvo_error err = { 0 };
    if (arvo_xstate_import(config, arena, &again, &report, &err) != ARVO_OK)
        fail_msg("%s: %s", document, err.text);
    if (!arvo_json_equal(value, again))
        fail_msg("%s\nbecame\n%s\nby way of\n%s", document, text_of(again), text_of(config));
}

/* ---- Import ---- */

static void
test_xstate__import_takes_what_means_the_same(void **state)
{
    (void)state;
    assert_json(
        imported("{'id':'door','initial':'shut','context':{'n':0},'description':'d','tags':['t'],"
                 "'states':{'shut':{'on':{'OPEN':[{'target':'open','reenter':true,'meta':{},"
                 "'description':'x'}]}},'open':{'type':'final','output':{'k':1}}}}"),
        "{'kind':'machine','id':'door','initial':'shut','context':{'n':0},'description':'d',"
        "'tags':['t'],'states':{'shut':{'on':{'OPEN':[{'target':'open','reenter':true,'meta':{},"
        "'description':'x'}]}},'open':{'type':'final','output':{'k':1}}}}");
    assert_int_equal(report.note_count, 0);
}

static void
test_xstate__import_turns_built_in_actions(void **state)
{
    (void)state;
    assert_json(
        imported("{'id':'m','entry':["
                 "{'type':'xstate.assign','params':{'assignment':{'n':1}}},"
                 "{'type':'xstate.raise','params':{'event':{'type':'X'}}},"
                 "{'type':'xstate.raise','params':{'event':'Y'}},"
                 "{'type':'xstate.log','params':{'value':'hi'}},"
                 "{'type':'xstate.emit','params':{'event':{'type':'com.a.b','data':{}}}},"
                 "{'type':'xstate.enqueueActions','params':{'actions':[{'actions':"
                 "{'type':'xstate.log','params':{'value':1}}}]}},"
                 "{'type':'ring','params':{'times':2}},'note']}"),
        "{'kind':'machine','id':'m','entry':["
        "{'type':'assign','params':{'n':1}},"
        "{'type':'raise','params':{'type':'X'}},"
        "{'type':'raise','params':{'type':'Y'}},"
        "{'type':'log','params':{'message':'hi'}},"
        "{'type':'emit','params':{'type':'com.a.b','data':{}}},"
        "{'type':'enqueueActions','params':[{'actions':{'type':'log','params':{'message':1}}}]},"
        "{'type':'ring','params':{'times':2}},'note']}");
    assert_int_equal(report.note_count, 2);
    assert_note(false, "/entry/6", "action 'ring': write it under `actions`");
    assert_note(false, "/entry/7", "action 'note'");
}

static void
test_xstate__import_turns_guards(void **state)
{
    (void)state;
    assert_json(
        imported("{'id':'m','on':{'A':{'guard':'ok'},'B':{'guard':{'type':'ok','params':{'n':1}}},"
                 "'C':{'guard':{'type':'arvo.expression','params':{'expression':'${ true }'}}},"
                 "'D':{'guard':{'type':'and','params':{'guards':['ok',{'type':'not','params':{"
                 "'guard':'ok'}}]}}},'E':{'guard':{'type':'or','guards':['ok']}},"
                 "'F':{'guard':{'type':'stateIn','params':{'state':'a'}}}}}"),
        "{'kind':'machine','id':'m','on':{'A':{'guard':'ok'},'B':{'guard':{'type':'ok','params':"
        "{'n':1}}},'C':{'guard':'${ true }'},'D':{'guard':{'type':'and','guards':['ok',{'type':"
        "'not','guard':'ok'}]}},'E':{'guard':{'type':'or','guards':['ok']}},'F':{'guard':{'type':"
        "'stateIn','params':{'state':'a'}}}}}");
    assert_int_equal(report.note_count, 1); /* each name once */
    assert_note(false, "/on/A/guard", "guard 'ok': write it under `guards`");
}

static void
test_xstate__import_leaves_out_what_has_no_effect(void **state)
{
    (void)state;
    assert_json(
        imported("{'types':{'events':{}},'tsTypes':{},'predictableActionArguments':true,"
                 "'initial':'a','states':{'a':{'key':'a','order':1,'onEntry':{'type':'xstate.log',"
                 "'params':{'value':1,'label':'x'}},'on':{'X':{'cond':'ok','internal':false}}},"
                 "'z':{'type':'final','data':1}}}"),
        "{'kind':'machine','id':'(machine)','initial':'a','states':{'a':{'entry':{'type':'log',"
        "'params':{'message':1}},'on':{'X':{'guard':'ok','reenter':true}}},'z':{'type':'final',"
        "'output':1}}}");
    assert_note(false, "/types", "TypeScript");
    assert_note(false, "", "no id");
    assert_note(false, "/states/a/order", "left out");
    assert_note(false, "/states/a/onEntry/params/label", "left out");
    assert_note(false, "/states/a/on/X/cond", "written as `guard`");
    assert_note(false, "/states/z/data", "written as `output`");
}

static void
test_xstate__import_says_what_has_no_counterpart(void **state)
{
    (void)state;
    static const struct {
        const char *config, *pointer, *words;
    } cases[] = {
        { "{'id':'m','invoke':{'src':'x'}}", "/invoke", "emit an event" },
        { "{'states':{'a':{'after':{'100':'b'}}}}", "/states/a/after", "timer service" },
        { "{'id':'m','delays':{}}", "/delays", "timer service" },
        { "{'id':'m','actors':{}}", "/actors", "emit an event" },
        { "{'id':'m','on':{'done.invoke.x':'a'}}", "/on/done.invoke.x", "handle the reply" },
        { "{'id':'m','on':{'':'a'}}", "/on/", "always" },
        { "{'id':'m','on':{'A':{'in':'b'}}}", "/on/A/in", "stateIn" },
        { "{'id':'m','on':{'A':{'delay':5}}}", "/on/A/delay", "timer" },
        { "{'id':'m','on':{'A':{'cond':'a','guard':'b'}}}", "/on/A/cond", "remove one" },
        { "{'id':'m','on':{'A':{'guard':'({context}) => context.n > 1'}}}", "/on/A/guard",
          "expression" },
        { "{'id':'m','on':{'A':{'guard':null}}}", "/on/A/guard", "JSON cannot hold functions" },
        { "{'id':'m','on':{'A':{'guard':{'type':'and'}}}}", "/on/A/guard", "guards" },
        { "{'id':'m','on':{'A':{'guard':{'type':'g','x':1}}}}", "/on/A/guard/x", "params" },
        { "{'id':'m','on':{'A':{'guard':{'type':'arvo.expression'}}}}", "/on/A/guard", "params" },
        { "{'id':'m','entry':[null]}", "/entry/0", "JSON cannot hold functions" },
        { "{'id':'m','entry':'function (x) { return 1 }'}", "/entry", "JavaScript" },
        { "{'id':'m','entry':{'type':'xstate.sendTo','params':{}}}", "/entry", "actors" },
        { "{'id':'m','entry':{'type':'xstate.cancel'}}", "/entry", "delayed" },
        { "{'id':'m','entry':{'type':'xstate.new'}}", "/entry", "no counterpart" },
        { "{'id':'m','entry':{'type':'xstate.assign'}}", "/entry", "JSON has lost" },
        { "{'id':'m','entry':{'type':'a','exec':1}}", "/entry/exec", "params" },
        { "{'id':'m','entry':{'type':'xstate.raise','params':{'event':{'type':'X'},'delay':1}}}",
          "/entry/params/delay", "timer" },
        { "{'id':'m','entry':{'type':'xstate.enqueueActions','params':{'actions':[1]}}}",
          "/entry/params/actions/0", "{guard?, actions}" },
        { "{'id':'m','context':{'a':['x => x']}}", "/context/a/0", "expression" },
        { "{'id':'m','context':'async () => 1'}", "/context", "expression" },
        { "{'id':'m','states':{'a':[]}}", "/states/a", "object" },
        { "{'id':'m','states':[]}", "/states", "object" },
        { "{'id':'m','novel':1}", "/novel", "meta" },
        { "{'id':'m','meta':{'arvo':{'novel':1}}}", "/meta/arvo", "novel" },
        { "{'id':'m','meta':{'arvo':1}}", "/meta/arvo", "object" },
        { "{'id':'m','meta':{'arvo':{'meta':1},'x':1}}", "/meta/arvo", "remove one" },
        { "{'id':'m','on':{'A':{'target':'b','meta':{'arvo':{'forbidden':true}}}}}", "/on/A",
          "does nothing" },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++)
        assert_refused(cases[i].config, cases[i].pointer, cases[i].words);
}

static void
test_xstate__import_says_all_of_it_at_once(void **state)
{
    (void)state;
    assert_refused("{'id':'m','invoke':{},'after':{},'entry':[null,null]}", "/entry/1", "JSON");
    assert_int_equal(report.error_count, 4);
}

static void
test_xstate__import_keeps_a_bounded_number_of_notes(void **state)
{
    (void)state;
    arvo_json *const list = arvo_json_array_new(arena);
    for (unsigned i = 0; i < ARVO_XSTATE_NOTES_MAX + 5; i++)
        arvo_json_push(arena, list, arvo_json_null());
    arvo_json *const config = arvo_json_object_new(arena);
    arvo_json_set(arena, config, ARVO_STR("id"), arvo_json_string(arena, ARVO_STR("m")));
    arvo_json_set(arena, config, ARVO_STR("entry"), list);
    const arvo_json *out = NULL;
    assert_int_equal(arvo_xstate_import(config, arena, &out, &report, NULL), ARVO_E_UNSUPPORTED);
    assert_int_equal(report.note_count, ARVO_XSTATE_NOTES_MAX);
    assert_int_equal(report.left_off, 5);
    assert_int_equal(report.error_count, ARVO_XSTATE_NOTES_MAX + 5);
}

static void
test_xstate__import_refuses_what_is_no_configuration(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "[]", "1", "null", "{}", "{'machine':{}}", "{'kind':'machine','id':'m'}"
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(texts); i++) {
        const arvo_json *out = NULL;
        arvo_error err = { 0 };
        assert_int_equal(
            arvo_xstate_import(json(texts[i]), arena, &out, &report, &err), ARVO_E_INVALID);
        assert_null(out);
    }
    const arvo_json *deep = arvo_json_null();
    for (unsigned i = 0; i < 300; i++) {
        arvo_json *const outer = arvo_json_object_new(arena);
        arvo_json *const states = arvo_json_object_new(arena);
        arvo_json_set(arena, states, ARVO_STR("a"), i == 0 ? arvo_json_object_new(arena) : deep);
        arvo_json_set(arena, outer, ARVO_STR("states"), states);
        deep = outer;
    }
    const arvo_json *out = NULL;
    assert_int_equal(arvo_xstate_import(deep, arena, &out, &report, NULL), ARVO_E_TOO_BIG);
    assert_null(out);
}

/* ---- Export ---- */

static void
test_xstate__export_writes_what_xstate_reads(void **state)
{
    (void)state;
    assert_json(
        exported(json(
            "{'kind':'machine','id':'m','version':'1.0.0','contracts':{'self':'#/o'},"
            "'executionunits':1,'guards':{'big':'${ .context.n > 1 }'},'initial':'a','states':{"
            "'a':{'entry':{'type':'assign','params':{'n':1}},'exit':['x',{'type':'log','params':"
            "{'message':1}}],'always':{'guard':'${ true }','target':'b'},'on':{'X':null}},"
            "'b':{'onDone':[{'guard':{'type':'not','guard':'big'},'actions':{'type':"
            "'enqueueActions','params':[{'guard':'big','actions':{'type':'raise','params':"
            "{'type':'Y'}}}]}}]}}}")),
        "{'id':'m','version':'1.0.0','initial':'a','states':{"
        "'a':{'entry':{'type':'xstate.assign','params':{'assignment':{'n':1}}},'exit':['x',"
        "{'type':'xstate.log','params':{'value':1}}],'always':{'guard':{'type':'arvo.expression',"
        "'params':{'expression':'${ true }'}},'target':'b'},'on':{'X':{'meta':{'arvo':"
        "{'forbidden':true}}}}},"
        "'b':{'onDone':[{'guard':{'type':'not','params':{'guard':'big'}},'actions':{'type':"
        "'xstate.enqueueActions','params':{'actions':[{'guard':'big','actions':{'type':"
        "'xstate.raise','params':{'event':{'type':'Y'}}}}]}}}]}},"
        "'meta':{'arvo':{'contracts':{'self':'#/o'},'executionunits':1,'guards':{'big':"
        "'${ .context.n > 1 }'}}}}");
    assert_note(false, "/contracts", "carried in meta.arvo");
    assert_note(false, "/guards", "carried in meta.arvo");
    assert_note(false, "", "expressions are carried as strings");
    assert_int_equal(report.note_count, 4);
}

static void
test_xstate__export_refuses_names_that_mean_something_else(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "{'kind':'machine','entry':'xstate.assign'}",
        "{'kind':'machine','entry':{'type':'xstate.raise'}}",
        "{'kind':'machine','on':{'A':{'guard':'arvo.expression'}}}",
        "{'kind':'machine','on':{'A':{'guard':{'type':'arvo.expression'}}}}",
        "{'kind':'machine','on':{'A':{'meta':{'arvo':1}}}}",
        "{'kind':'machine','meta':{'arvo':1}}",
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(documents); i++) {
        const arvo_json *out = NULL;
        assert_int_equal(
            arvo_xstate_export(json(documents[i]), arena, &out, &report, NULL), ARVO_E_UNSUPPORTED);
        assert_null(out);
        assert_int_equal(report.error_count, 1);
    }
    const arvo_json *out = NULL;
    assert_int_equal(
        arvo_xstate_export(json("{'kind':'mock'}"), arena, &out, &report, NULL), ARVO_E_INVALID);
}

/* ---- There and back ---- */

static void
test_xstate__round_trip_of_every_construct(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "{'kind':'machine','id':'m'}",
        "{'kind':'machine','id':'m','meta':{}}",
        "{'kind':'machine','id':'m','allow':[{'rule':'r','reason':'x'}],'states':{'a':{'allow':[]}}"
        "}",
        "{'kind':'machine','id':'m','meta':'text'}",
        "{'kind':'machine','id':'m','meta':{'a':1},'contracts':{'self':'#/o'}}",
        "{'kind':'machine','id':'m','meta':{},'guards':{}}",
        "{'kind':'machine','id':'m','meta':[1],'actions':{'a':'b'}}",
        "{'kind':'machine','id':'m','context':'${ {} }','output':'${ 1 }','tags':'t'}",
        "{'kind':'machine','id':'m','on':{'A':null,'B':[null,'x',{'target':['a','b']}],'C':{},"
        "'D':[]},'always':null}",
        "{'kind':'machine','id':'m','initial':{'target':'a','actions':[{'type':'assign','params':"
        "'${ {} }'}]},'states':{'a':{'type':'history','history':'deep','target':'b'},'b':{}}}",
        "{'kind':'machine','id':'m','entry':[{'type':'emit','params':'${ .event "
        "}'},{'type':'raise',"
        "'params':'${ {type: 1} }'},{'type':'enqueueArvoEvent','params':{'type':'a.b.c'}}]}",
        "{'kind':'machine','id':'m','exit':{'type':'enqueueActions','params':[{'guard':"
        "{'type':'or','guards':[' ${ true } ',{'type':'and','guards':[]}]},'actions':['n',"
        "{'type':'enqueueActions','params':[]}]}]}}",
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(documents); i++)
        assert_round_trip(documents[i]);
}

/* ---- Out of memory ---- */

static void
test_xstate__survives_running_out_of_memory(void **state)
{
    (void)state;
    const arvo_json *const document = json(
        "{'kind':'machine','id':'m','guards':{'g':'${ true }'},'initial':'a','states':{'a':{"
        "'on':{'X':[{'guard':'g','actions':['f',{'type':'assign','params':{'n':1}}]},null]}}}}");
    arvo_status st = ARVO_E_NOMEM;
    size_t bytes = 64;
    for (; st == ARVO_E_NOMEM; bytes += 64) {
        arvo_arena *const small =
            arvo_arena_new(&(arvo_arena_opts){ .chunk_bytes = 64, .bytes_max = bytes });
        const arvo_json *config = NULL;
        const arvo_json *again = NULL;
        if (small == NULL)
            continue;
        st = arvo_xstate_export(document, small, &config, &report, NULL);
        if (st == ARVO_OK)
            st = arvo_xstate_import(config, small, &again, &report, NULL);
        assert_true(st == ARVO_OK || st == ARVO_E_NOMEM);
        assert_true(st != ARVO_OK || arvo_json_equal(document, again));
        arvo_arena_free(small);
    }
    assert_int_equal(st, ARVO_OK);
    assert_true(bytes > 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xstate__import_takes_what_means_the_same),
        cmocka_unit_test(test_xstate__import_turns_built_in_actions),
        cmocka_unit_test(test_xstate__import_turns_guards),
        cmocka_unit_test(test_xstate__import_leaves_out_what_has_no_effect),
        cmocka_unit_test(test_xstate__import_says_what_has_no_counterpart),
        cmocka_unit_test(test_xstate__import_says_all_of_it_at_once),
        cmocka_unit_test(test_xstate__import_keeps_a_bounded_number_of_notes),
        cmocka_unit_test(test_xstate__import_refuses_what_is_no_configuration),
        cmocka_unit_test(test_xstate__export_writes_what_xstate_reads),
        cmocka_unit_test(test_xstate__export_refuses_names_that_mean_something_else),
        cmocka_unit_test(test_xstate__round_trip_of_every_construct),
        cmocka_unit_test(test_xstate__survives_running_out_of_memory),
    };
    return cmocka_run_group_tests(tests, machine_group_setup, machine_group_teardown);
}
