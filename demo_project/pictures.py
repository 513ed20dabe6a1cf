"""Thumbnails of pictures: work that computes, and so runs in processes (`tasks/thumbnails.yao`)."""

import time
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from yao_tasks import GiveUp, current_job

SIZE = (1280, 960)
THUMBNAIL = (160, 120)


def make_thumbnails(job_id: int, folder: str = "pictures", count: int = 6) -> list[str]:
    """Make a thumbnail of each picture in a folder of DEMO_DATA; answers their names. Paints some if there are none."""
    try:
        from PIL import Image
    except ImportError:
        # Another run would find no more.
        raise GiveUp("Pillow isn't installed: pip install pillow") from None
    pictures = sorted((settings.DATA_DIR / folder).glob("*.jpg")) or _painted(
        settings.DATA_DIR / folder, count
    )
    thumbnails = settings.DATA_DIR / folder / "thumbnails"
    thumbnails.mkdir(exist_ok=True)
    for path in current_job().track(pictures, message=_("Making thumbnails")):
        try:
            with Image.open(path) as picture:
                picture.thumbnail(THUMBNAIL)
                picture.convert("RGB").save(thumbnails / path.name, "JPEG")
        except (OSError, ValueError, Image.DecompressionBombError):
            raise GiveUp(_("%(name)s is no picture that can be read.") % {"name": path.stem}) from None
        time.sleep(settings.DEMO_PAUSE)
    return [path.name for path in pictures]


def _painted(folder: Path, count: int) -> list[Path]:
    """Pieces of the Mandelbrot set, each a little deeper."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in current_job().track(range(count), message=_("Painting")):
        width = 3.0 / 2**number
        extent = (-0.75 - width / 2, 0.1 - width / 3, -0.75 + width / 2, 0.1 + width / 3)
        # In another's job's folder at the same time: the name is taken when the picture is whole.
        half = folder / f"{number}.{current_job().id}.part"
        Image.effect_mandelbrot(SIZE, extent, 100).save(half, "JPEG")
        paths.append(half.rename(folder / f"{number}.jpg"))
    return paths
