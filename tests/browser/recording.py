"""Short recordings for the docs: frames of a page, each with a caption, in one animated image."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

#: Width and height of a recording.
SIZE = {"width": 900, "height": 720}
#: The policy of the page allows no ``style`` attribute, but a script may set styles.
CAPTION = """caption => {
  const bar = document.createElement("div");
  bar.id = "caption";
  bar.textContent = caption;
  Object.assign(bar.style, {position: "fixed", left: 0, right: 0, bottom: 0, padding: "14px 24px",
    background: "#17212b", color: "#fff", font: "600 18px sans-serif", zIndex: 99});
  document.getElementById("caption")?.remove();
  document.body.append(bar);
}"""


class Recording:
    """Frames and how long each is shown, in milliseconds."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.durations: list[int] = []

    def frame(self, page: Any, caption: str = "", *, lasts: int = 1500) -> None:
        """Add what the page shows now."""
        if caption:
            page.evaluate(CAPTION, caption)
        self.frames.append(page.screenshot(animations="disabled"))
        self.durations.append(lasts)

    def save(self, path: Path) -> None:
        """Write an animated image that begins again at its end."""
        from PIL import Image

        images = [Image.open(io.BytesIO(frame)).convert("RGB") for frame in self.frames]
        first, *others = [image.quantize(64, dither=Image.Dither.NONE) for image in images]
        path.parent.mkdir(parents=True, exist_ok=True)
        first.save(path, save_all=True, append_images=others, duration=self.durations, loop=0)
