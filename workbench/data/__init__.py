"""The data sets of the lessons: small, licensed, checked, always split the same way, and real but for one.

They lie in `assets/data` (terms in `assets/data/NOTICE`); MNIST-1D is generated. Nothing is ever downloaded. The splits
are fixed by rule (a hash of the item, or its place in the file), never by a random number. `WORKBENCH_ASSETS` names
another assets folder (tests use it); otherwise it is `assets` beside the package.
"""

from workbench.data.assets import DataError, assets_folder, read_asset, write_asset
from workbench.data.generated import SignalPart, SignalSet, load_mnist1d
from workbench.data.pictures import (
    Emoji,
    EmojiPart,
    PicturePart,
    PictureSet,
    load_emoji,
    load_fashion_mnist,
    load_mnist,
)
from workbench.data.speech import Clip, load_librivox, load_silero
from workbench.data.text import PronouncingDictionary, Shakespeare, load_cmudict, load_shakespeare

__all__ = [
    "Clip",
    "DataError",
    "Emoji",
    "EmojiPart",
    "PicturePart",
    "PictureSet",
    "PronouncingDictionary",
    "Shakespeare",
    "SignalPart",
    "SignalSet",
    "assets_folder",
    "load_cmudict",
    "load_emoji",
    "load_fashion_mnist",
    "load_librivox",
    "load_mnist",
    "load_mnist1d",
    "load_shakespeare",
    "load_silero",
    "read_asset",
    "write_asset",
]
