"""What every tab shares: the visitor's photo, model and input size, and a way to follow them while it is in sight."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from ui.photo import PhotoInput
from ui.settings import Settings

ONE_LANE: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1, "api_visibility": "private"}


@dataclass
class Visit:
    """One visitor's page. `events` are those after which a new run stands in the explorer, `run` is its id."""

    settings: Settings
    photo: PhotoInput
    model: gr.Dropdown
    size: gr.Slider
    run: gr.State
    active: gr.State  # label of the tab in sight
    events: list[Any] = field(default_factory=list)

    @property
    def inputs(self) -> list[Any]:
        """What each look at the photo takes: image, model name, side in pixels."""
        return [self.photo, self.model, self.size]

    def mark(self, tab: gr.Tab) -> Any:
        """Remember this tab as the one in sight whenever it is chosen; the event, to go on from."""
        label = str(tab.label)
        return tab.select(lambda: label, None, self.active, queue=False, api_visibility="private")

    def follow(
        self, tab: gr.Tab, show: Callable[..., Any], outputs: Sequence[Any], more: Sequence[Any] = (), **event: Any
    ) -> list[Any]:
        """Call `show(image, model, side, *more)` for `outputs` when `tab` comes into sight with a photo that it does
        not show yet, and when the photo changes while it is in sight. Without a photo the outputs become None.

        `more` are further input components, `event` goes to Gradio's listeners. Returns the events.
        """
        shown = gr.State()
        label = str(tab.label)

        def step(active, run, before, image, model, side, *rest):
            if active != label or run == before:
                return gr.skip()
            if image is None:
                return (*([None] * len(outputs)), run)
            values = show(image, model, side, *rest)
            return (*(values if len(outputs) > 1 else (values,)), run)

        inputs = [self.active, self.run, shown, *self.inputs, *more]
        options = {**ONE_LANE, "show_progress": "minimal", **event}
        started = [self.mark(tab).then, *(each.success for each in self.events)]
        return [start(step, inputs, [*outputs, shown], **options) for start in started]
