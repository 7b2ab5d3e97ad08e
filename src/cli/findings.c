/* What the checker found: as lines, as JSON, as SARIF. */

#include "cli.h"

#define SARIF_SCHEMA                                                                               \
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

/* ---- Lines ---- */

static const char *
place_text(const arvo_finding *finding)
{
    const char *file = finding->file.ptr != NULL ? cli_shown(finding->file) : "-";
    return cli_printf("%s:%u", file, finding->line);
}

/* "state: ", for a finding in one. */
static const char *
state_text(const arvo_finding *finding)
{
    return finding->state.len > 0 ? cli_printf("%s: ", cli_shown(finding->state)) : "";
}

const char *
cli_finding_text(const arvo_finding *finding)
{
    return cli_printf(
        "%s: [%s] %s%s; %s", place_text(finding), finding->rule->id, state_text(finding),
        cli_shown(finding->text), cli_shown(finding->help));
}

void
cli_findings_print(const arvo_check *check)
{
    size_t width = 0;
    for (size_t i = 0; i < arvo_check_count(check); i++) {
        const arvo_finding *finding = arvo_check_at(check, i);
        const size_t own = cli_width(place_text(finding));
        if (finding->reason.ptr == NULL && own > width)
            width = own;
    }
    for (size_t i = 0; i < arvo_check_count(check); i++) {
        const arvo_finding *finding = arvo_check_at(check, i);
        if (finding->reason.ptr != NULL)
            continue;
        const bool is_error = finding->rule->severity == ARVO_CHECK_ERROR;
        const cli_style style = is_error ? CLI_RED : CLI_YELLOW;
        const char *place = place_text(finding);
        printf(
            "%s:%*s %s%s:%s%s [%s] %s%s; %s\n", place, (int)(width - cli_width(place)), "",
            cli_style_on(style), is_error ? "error" : "warning", cli_style_off(style),
            is_error ? "  " : "", finding->rule->id, state_text(finding), cli_shown(finding->text),
            cli_shown(finding->help));
    }
    if (arvo_check_is_cut(check))
        printf("... and more: only the first %zu are kept\n", arvo_check_count(check));
}

/* ---- JSON ---- */

const arvo_json *
cli_findings_json(const arvo_check *check)
{
    arvo_json *list = arvo_json_array_new(cli_arena());
    for (size_t i = 0; i < arvo_check_count(check); i++) {
        const arvo_finding *finding = arvo_check_at(check, i);
        arvo_json *object = arvo_json_object_new(cli_arena());
        cli_set(object, "rule", cli_json_cstr(finding->rule->id));
        cli_set(
            object, "severity", cli_json_cstr(arvo_check_severity_name(finding->rule->severity)));
        cli_set(object, "file", cli_json_str(finding->file));
        cli_set(object, "line", arvo_json_int(cli_arena(), finding->line));
        cli_set(object, "pointer", cli_json_str(finding->pointer));
        cli_set(object, "machine", cli_json_str(finding->machine));
        cli_set(object, "state", cli_json_str(finding->state));
        cli_set(object, "text", cli_json_str(finding->text));
        cli_set(object, "help", cli_json_str(finding->help));
        cli_set(object, "allowed", cli_json_str(finding->reason));
        arvo_json_push(cli_arena(), list, object);
    }
    return list;
}

/* ---- SARIF 2.1.0 ---- */

static arvo_json *
object_of(const char *key, const arvo_json *value)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    cli_set(object, key, value);
    return object;
}

static const arvo_json *
list_of(const arvo_json *item)
{
    arvo_json *list = arvo_json_array_new(cli_arena());
    arvo_json_push(cli_arena(), list, item);
    return list;
}

static const arvo_json *
sarif_rules(void)
{
    size_t count;
    const arvo_check_rule *rules = arvo_check_rules(&count);
    arvo_json *list = arvo_json_array_new(cli_arena());
    for (size_t i = 0; i < count; i++) {
        arvo_json *rule = object_of("id", cli_json_cstr(rules[i].id));
        cli_set(rule, "shortDescription", object_of("text", cli_json_cstr(rules[i].summary)));
        cli_set(rule, "help", object_of("text", cli_json_cstr(rules[i].help)));
        cli_set(
            rule, "defaultConfiguration",
            object_of("level", cli_json_cstr(arvo_check_severity_name(rules[i].severity))));
        arvo_json_push(cli_arena(), list, rule);
    }
    return list;
}

/* A path as the URI reference that SARIF wants, escaped. */
static const arvo_json *
sarif_uri(arvo_str file)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    arvo_buf uri = ARVO_BUF_INIT((size_t)64 * 1024);
    for (size_t i = 0; i < file.len; i++) {
        if (memchr(plain, file.ptr[i], sizeof(plain) - 1) != NULL)
            arvo_buf_append_char(&uri, file.ptr[i]);
        else
            arvo_buf_printf(&uri, "%%%02X", (unsigned)(unsigned char)file.ptr[i]);
    }
    const arvo_json *text = arvo_json_string(cli_arena(), arvo_buf_str(&uri));
    arvo_buf_fini(&uri);
    return text;
}

static const arvo_json *
sarif_location(const arvo_finding *finding)
{
    arvo_json *physical = object_of("artifactLocation", object_of("uri", sarif_uri(finding->file)));
    if (finding->line > 0)
        cli_set(
            physical, "region", object_of("startLine", arvo_json_int(cli_arena(), finding->line)));
    arvo_json *location = object_of("physicalLocation", physical);
    if (finding->machine.ptr != NULL) {
        const char *name = cli_printf(
            "%s%s%s", cli_cstr(finding->machine), finding->state.len > 0 ? "/" : "",
            cli_cstr(finding->state));
        cli_set(
            location, "logicalLocations",
            list_of(object_of("fullyQualifiedName", cli_json_cstr(name))));
    }
    return location;
}

static const arvo_json *
sarif_result(const arvo_finding *finding, size_t rule_index)
{
    arvo_json *result = object_of("ruleId", cli_json_cstr(finding->rule->id));
    const char *text = cli_printf("%s; %s", cli_cstr(finding->text), cli_cstr(finding->help));
    cli_set(result, "ruleIndex", arvo_json_int(cli_arena(), (int64_t)rule_index));
    cli_set(result, "level", cli_json_cstr(arvo_check_severity_name(finding->rule->severity)));
    cli_set(result, "message", object_of("text", cli_json_cstr(text)));
    cli_set(result, "locations", list_of(sarif_location(finding)));
    if (finding->reason.ptr != NULL) {
        arvo_json *suppression = object_of("kind", cli_json_cstr("inSource"));
        cli_set(suppression, "justification", cli_json_str(finding->reason));
        cli_set(result, "suppressions", list_of(suppression));
    }
    return result;
}

void
cli_findings_print_sarif(const arvo_check *check)
{
    size_t count;
    const arvo_check_rule *rules = arvo_check_rules(&count);
    arvo_json *results = arvo_json_array_new(cli_arena());
    for (size_t i = 0; i < arvo_check_count(check); i++) {
        const arvo_finding *finding = arvo_check_at(check, i);
        arvo_json_push(
            cli_arena(), results, sarif_result(finding, (size_t)(finding->rule - rules)));
    }
    arvo_json *driver = object_of("name", cli_json_cstr("arvo machine check"));
    cli_set(driver, "version", cli_json_cstr(arvo_version()));
    cli_set(driver, "rules", sarif_rules());
    arvo_json *run = object_of("tool", object_of("driver", driver));
    cli_set(run, "results", results);
    arvo_json *log = object_of("$schema", cli_json_cstr(SARIF_SCHEMA));
    cli_set(log, "version", cli_json_cstr("2.1.0"));
    cli_set(log, "runs", list_of(run));
    cli_print_pretty(log);
}
