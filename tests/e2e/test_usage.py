#!/usr/bin/env python3
"""Verbs, options, help: what the command says to whoever mistypes."""

import os
import subprocess

from harness import ARVO, Case, main

VERBS = ["run", "work", "machine", "contract", "schema", "event", "subject", "ps", "show", "history", "bench", "version", "help"]


class Usage(Case):
    def test_help_lists_every_verb(self):
        text = self.ok("help").out
        for verb in VERBS:
            self.assertRegex(text, rf"(?m)^  {verb} ")
        self.assertEqual(self.ok("--help").out, text)

    def test_every_verb_explains_itself(self):
        for verb in VERBS:
            with self.subTest(verb=verb):
                text = self.ok("help", verb).out
                self.assertTrue(text.startswith("usage: arvo " + verb), text)
                if verb != "help":
                    self.assertEqual(self.ok(verb, "--help").out, text)

    def test_an_action_explains_itself(self):
        self.assertTrue(self.ok("event", "new", "--help").out.startswith("usage: arvo event new"))

    def test_help_fits_a_terminal(self):
        for verb in VERBS:
            for line in self.ok("help", verb).out.splitlines():
                self.assertLessEqual(len(line), 110, line)

    def test_version(self):
        for spelling in ("version", "--version"):
            self.assertRegex(self.ok(spelling).out, r"^arvo \d+\.\d+\.\d+\n$")

    def test_no_verb_is_usage(self):
        result = self.arvo()
        self.assertEqual(result.code, 2)
        self.assertEqual(result.out, "")
        self.assertIn("usage: arvo VERB", result.err)

    def test_unknown_verb_suggests_the_nearest(self):
        self.fails(2, "rnu", says=["unknown verb rnu", "did you mean run?"])
        self.fails(2, "hstory", says="did you mean history?")
        self.fails(2, "xylophone", says="unknown verb xylophone; see arvo help")
        self.fails(2, "help", "shwo", says="did you mean show?")

    def test_unknown_action_suggests_the_nearest(self):
        self.fails(2, "machine", "chekc", says=["chekc", "did you mean check?"])
        self.fails(2, "machine", says=["check", "simulate"])

    def test_unknown_option_suggests_the_nearest(self):
        self.fails(2, "run", "app", "--evnt", "x", says=["--evnt", "did you mean --event?"])
        self.fails(2, "ps", "--sotre=x", says="did you mean --store?")
        self.fails(2, "ps", "-x", says="unknown option -x")
        self.fails(2, "ps", "--json", "-yz", says="unknown option -y")
        self.fails(2, "bench", "--ev", "3", says="--ev")
        self.fails(2, "--vresion", says="unknown option")

    def test_options_want_their_values(self):
        self.fails(2, "ps", "--store", says="--store needs a value")
        self.fails(2, "ps", "--store", "memory:", "--json=yes", says="--json takes no value")
        self.fails(2, "bench", "--events", "many", says=["--events many", "number"])
        self.fails(2, "bench", "--events", "0", says="--events 0")
        self.fails(2, "bench", "--events", "99999999999999999999", says="--events")
        self.fails(2, "sim", "--seed", "18446744073709551616", says="--seed 18446744073709551616")

    def test_operands_are_counted(self):
        self.fails(2, "run", says="needs APP")
        self.fails(2, "show", "--store", "memory:", says="needs SUBJECT")
        self.fails(2, "show", "a", "b", "--store", "memory:", says="does not take b")
        self.fails(2, "schema", "validate", "only-one", says="needs SCHEMA INSTANCE")

    def test_required_options_are_named(self):
        self.fails(2, "run", "app", says="needs --event")
        for verb in ("ps", "show", "history"):
            operand = [] if verb == "ps" else ["some"]
            self.fails(2, verb, *operand, says="needs --store")
        self.fails(2, "event", "new", says="needs --type")
        self.fails(2, "subject", "new", "--initiator", "com.a.b", says="needs --name")
        self.fails(2, "contract", "validate", "x.yaml", says="needs --type")

    def test_two_dashes_end_the_options(self):
        self.fails(2, "machine", "check", "--", "--json", says="--json")

    def test_hostile_arguments_stay_on_one_line(self):
        self.fails(2, "evil\n\033[31mverb", says="\\x1b")
        self.fails(2, "run", "no\nsuch\x7fapp", "--event", "x\ry", says="\\x0d")
        self.fails(2, "x" * 100000, says="unknown verb")

    def test_no_colour_where_there_is_no_terminal(self):
        for verb in VERBS:
            self.assertNotIn("\033", self.ok("help", verb).out)

    def test_full_output_is_an_error(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full here")
        with open("/dev/full", "wb") as full:
            done = subprocess.run([ARVO, "help"], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 3)
        self.assertRegex(done.stderr.decode(), r"^arvo: standard output: .+\n$")

    def test_a_reader_that_goes_away_is_no_error(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([ARVO, "help"], stdout=writer, stderr=subprocess.PIPE, check=False)
        os.close(writer)
        self.assertEqual((done.returncode, done.stderr), (0, b""))


if __name__ == "__main__":
    main()
