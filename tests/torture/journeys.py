"""What journeys (app.yaml) are started with, and what must have come of them, told without running one."""

import json

SENDER = "com.torture.user"  # whose starts may be in the outbox twice, when their first sending was not acknowledged


def leg_sum(steps):
    return steps * steps  # 1 + 3 + 5 ...


def leg_legs(steps):
    """The legs of a journey: two at once, and one whose length comes from what they told."""
    together = leg_sum(steps) + leg_sum(steps + 1)
    return [steps, steps + 1, together % 5]


def journey_sum(steps):
    return sum(leg_sum(leg) for leg in leg_legs(steps))


def leg_story(steps):
    """What a leg consumes and asks, in order, as (direction, type, data)."""
    story = [("consumed", "arvo.orc.leg", None)]
    for at in range(steps):
        story.append(("produced", "com.walk.step", {"at": at, "again": False}))
        if at == 3:
            story.append(("consumed", "sys.com.walk.step.error", None))
            story.append(("produced", "com.walk.step", {"at": at, "again": True}))
        story.append(("consumed", "evt.walk.step", {"at": at, "gain": 2 * at + 1}))
    story.append(("produced", "arvo.orc.leg.done", {"sum": leg_sum(steps)}))
    return story


class Verdict:
    """What is wrong with a store after all journeys should have ended; every line one finding."""

    def __init__(self):
        self.lost, self.doubled, self.stuck, self.wrong = [], [], [], []
        self.instances = self.events = 0

    def __str__(self):
        return (
            f"{self.instances} instances, {self.events} events: {len(self.lost)} lost, {len(self.doubled)} doubled, "
            f"{len(self.stuck)} stuck, {len(self.wrong)} wrong"
        )

    def findings(self):
        return self.lost + self.doubled + self.stuck + self.wrong

    # ---- One instance ----

    def _check_events(self, subject, rows):
        """Every event has one effect: no key twice, and each request of a leg is answered once."""
        seen, asked, answered = set(), {}, {}
        for row in rows:
            event = row["event"]
            key = (row["direction"], event["source"], event["id"])
            is_sent_again = event["source"] == SENDER and row["direction"] == "produced"
            if key in seen and not is_sent_again:
                self.doubled.append(f"{subject}: {row['direction']} twice: {event['type']} {event['id']}")
            seen.add(key)
            if row["direction"] == "produced" and event["type"] == "com.walk.step":
                asked[event["id"]] = event
            if row["direction"] == "produced" and event["source"] == "com.walk.step":
                answered[event["parentid"]] = answered.get(event["parentid"], 0) + 1
        for request, event in asked.items():
            count = answered.get(request, 0)
            if count == 0:
                self.lost.append(f"{subject}: no answer to {event['type']} {request}")
            elif count > 1:
                self.doubled.append(f"{subject}: {count} answers to {event['type']} {request}")

    def _check_leg(self, subject, rows):
        own = [
            (row["direction"], row["event"]["type"], row["event"]["data"])
            for row in rows
            if row["direction"] == "consumed" or row["event"]["source"] == "arvo.orc.leg"
        ]
        if not own or own[0][1] != "arvo.orc.leg":
            self.wrong.append(f"{subject}: a leg that does not begin with its start")
            return None
        steps = own[0][2]["steps"]
        story = leg_story(steps)
        shown = [(d, t, data if want[2] is not None else None) for (d, t, data), want in zip(own, story)]
        if len(own) < len(story):
            self.lost.append(f"{subject}: the story of {steps} steps ends after {len(own)} of {len(story)} events")
        elif len(own) > len(story):
            self.doubled.append(f"{subject}: {len(own) - len(story)} events more than {steps} steps have")
        if shown != story[: len(shown)]:
            at = next(i for i, (a, b) in enumerate(zip(shown, story)) if a != b)
            self.wrong.append(f"{subject}: event {at} is {own[at]}, not {story[at]}")
        return steps

    def _check_journey(self, subject, rows, steps):
        count = {}
        for row in rows:
            key = (row["direction"], row["event"]["type"])
            if key != ("produced", "arvo.orc.journey"):  # the sender's
                count[key] = count.get(key, 0) + 1
        want = {
            ("consumed", "arvo.orc.journey"): 1,
            ("produced", "arvo.orc.leg"): 3,
            ("consumed", "arvo.orc.leg.done"): 3,
            ("produced", "arvo.orc.journey.done"): 1,
        }
        for key in sorted(set(want) | set(count)):
            difference = count.get(key, 0) - want.get(key, 0)
            if difference < 0:
                self.lost.append(f"{subject}: {-difference} {key[1]} {key[0]} are missing")
            elif difference > 0:
                self.doubled.append(f"{subject}: {difference} {key[1]} {key[0]} too many")
        ends = [row["event"]["data"] for row in rows if row["event"]["type"] == "arvo.orc.journey.done"]
        if ends and ends[0] != {"sum": journey_sum(steps)}:
            self.wrong.append(f"{subject}: ended with {json.dumps(ends[0])}, not {journey_sum(steps)}")

    # ---- All ----

    def check(self, started, instances, history):
        """`started`: subject -> steps; `instances`: rows of `arvo ps --json`; `history`: subject -> its rows."""
        children = {}
        known = {row["subject"] for row in instances}
        for subject in started:
            if subject not in known:
                self.lost.append(f"{subject}: was started and is not there")
        for row in instances:
            subject = row["subject"]
            rows = history(subject)
            self.instances += 1
            self.events += len(rows)
            if row["status"] != "done":
                self.stuck.append(f"{subject}: {row['orchestrator']} is {row['status']} in {row['value']}")
                continue
            self._check_events(subject, rows)
            if row["orchestrator"] == "arvo.orc.leg":
                children.setdefault(row["parentSubject"], []).append(self._check_leg(subject, rows))
            elif subject in started:
                self._check_journey(subject, rows, started[subject])
            else:
                self.doubled.append(f"{subject}: a journey that nobody started")
        for subject, steps in started.items():
            legs = children.get(subject, [])
            if subject in known and sorted(legs, key=str) != sorted(leg_legs(steps), key=str):
                self.wrong.append(f"{subject}: legs of {legs} steps, not {leg_legs(steps)}")
