"""What is computed of the measurements, and what a pull request's log may say. Run: python3 -m unittest discover -s scripts/bench.d"""
import json
import unittest

import cases_local  # noqa: F401
import comment
import measure
import report
import results
from case import Case, Goal
from measure import Sample


def summary(goals):
    case = Case("export-vars", "export-vars", "1,000 values", None, goals)
    ours = [Sample(1.0, 0.5, 1024, {"size": 10}), Sample(2.0, 0.5, 1024, {"size": 10}), Sample(3.0, 0.5, 1024, {"size": 10})]
    theirs = [Sample(4.0, 1.0, 4096, {"size": 20}), Sample(4.0, 1.0, 4096, {"size": 20}), Sample(4.0, 1.0, 4096, {"size": 20})]
    return results.summary(case, {"export-vars": ours, "jq": theirs})


class Ratios(unittest.TestCase):
    def test_are_those_of_runs_that_followed_each_other(self):
        self.assertEqual(summary([])["ratios"]["jq"]["wall"], [0.25, 0.5, 0.75])
        self.assertEqual(summary([])["ratios"]["jq"]["size"], [0.5, 0.5, 0.5])

    def test_a_goal_is_met_up_to_its_bound(self):
        met = [goal["met"] for goal in summary([Goal("wall", "jq", 0.5), Goal("wall", "jq", 0.49), Goal("cpu", "jq", over=0),
                                                Goal("wall", "jq", over=-2.5)])["goals"]]
        self.assertEqual(met, [True, False, True, False])

    def test_are_said_as_people_say_them(self):
        self.assertEqual([report.ratio(value) for value in (0.125, 0.5, 1.5, 1 / 340)], ["1/8", "0.50", "1.50", "1/340"])


class Runs(unittest.TestCase):
    env = {"PATH": "/usr/bin:/bin"}

    def test_count_all_processes_and_the_largest(self):
        sample = measure.run(["sh", "-c", "head -c 30000000 /dev/zero | tail -c 30000000 >/dev/null"], env=self.env, cwd="/")
        self.assertGreater(sample.memory, 25_000)
        self.assertLess(measure.run(["true"], env=self.env, cwd="/").memory, 6_000)

    def test_another_code_is_an_error_with_what_was_printed(self):
        with self.assertRaisesRegex(measure.Failed, "ended with 3:\nwhy"):
            measure.run(["sh", "-c", "echo why; exit 3"], env=self.env, cwd="/")
        self.assertGreaterEqual(measure.run(["sh", "-c", "exit 3"], env=self.env, cwd="/", codes=(3,)).wall, 0)

    def test_a_run_that_takes_too_long_is_ended_with_all_its_processes(self):
        measure.LONGEST, longest = 0.3, measure.LONGEST
        try:
            with self.assertRaisesRegex(measure.Failed, "ended with -9"):
                measure.run(["sh", "-c", "sleep 60"], env=self.env, cwd="/")
        finally:
            measure.LONGEST = longest


class Page(unittest.TestCase):
    def test_a_missed_goal_says_what_stands_in_the_way(self):
        known = {"export-vars": summary([Goal("wall", "jq", 0.1)])}
        page = report.page(f"before\n{report.START}old\n{report.END}\nafter\n", known)
        self.assertIn("**1/10, missed**", page)
        self.assertIn("- `export-vars` (time 0.50 of jq, not 1/10). ", page)
        self.assertTrue(page.startswith("before\n") and page.endswith("after\n") and "old" not in page)
        self.assertIn('class="over"', report.picture(known))


class Comment(unittest.TestCase):
    known = {"export-vars": summary([])}

    def of(self, said):
        return comment.comment(f"2026-01-01T00:00:00Z bench-results: {said}\n", self.known)

    def test_takes_the_last_numbers(self):
        said = json.dumps({"export-vars": {"ratios": {"jq": {"wall": [0.1, 0.2, 0.3]}}}})
        made = comment.comment(f"x bench-results: {{}}\nx bench-results: {said}\nmore\n", self.known)
        self.assertIn("| export-vars | jq | time | 1/5 (1/10 to 1/3.33) | 0.50 |", made)

    def test_takes_nothing_but_numbers_of_what_is_known(self):
        for said in [
            "", "{", "[]", "{}", '{"export-vars": 1}', '{"export-vars": {"ratios": {"jq": {"wall": "0.1"}}}}',
            '{"export-vars": {"ratios": {"jq": {"wall": [0.1, 0.2]}}}}', '{"export-vars": {"ratios": {"jq": {"wall": [0.1, NaN, 0.3]}}}}',
            '{"export-vars": {"ratios": {"jq": {"wall": [0.1, "@all", 0.3]}}}}', '{"export-vars": {"ratios": {"jq": {"wall": [true, 1, 1]}}}}',
            '{"export-vars": {"ratios": {"[link](https://example.com)": {"wall": [0.1, 0.2, 0.3]}}}}',
            '{"@all": {"ratios": {"jq": {"wall": [0.1, 0.2, 0.3]}}}}',
        ]:
            self.assertIsNone(self.of(said), said)


if __name__ == "__main__":
    unittest.main()
