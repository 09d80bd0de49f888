"""The data sets that `load` knows, and where they can be had."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from zoo.errors import unknown_name


@dataclass(frozen=True)
class ImageDataset:
    """A data set of images on the Hugging Face Hub, in the Hub's own words.

    Args:
        name: as `load` takes it.
        repository: `<owner>/<name>` on the Hub, and below a mirror folder.
        config: the data set's configuration there.
        image_column: the column with the encoded images.
        shape: height, width and channels of an image.
        classes: the classes in the order of our labels.
        idx_folder: where a system package puts it as IDX files.
        package: that package.
    """

    name: str
    repository: str
    config: str
    image_column: str
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    idx_folder: str | None = None
    package: str | None = None

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that it has."""
        return ("train", "test")

    @property
    def form(self) -> tuple[object, ...]:
        """What its arrays depend on beside its files."""
        return (self.shape, self.classes)


@dataclass(frozen=True)
class TextDataset:
    """A data set of labelled texts on the Hugging Face Hub, in the Hub's own words.

    Args:
        name: as results show it.
        repository: `<owner>/<name>` on the Hub, and below a mirror folder.
        config: the data set's configuration there.
        text_column: the column with the texts.
        classes: the classes in the order of our labels.
        authors_files: split to the address of the authors' own CSV file, which has the same
            columns.
    """

    name: str
    repository: str
    config: str
    text_column: str
    classes: tuple[str, ...]
    authors_files: Mapping[str, str] = field(default_factory=dict)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that it has."""
        return ("train", "validation", "test")

    @property
    def form(self) -> tuple[object, ...]:
        """What its arrays depend on beside its files."""
        return ("texts", self.classes)


TableDataset = ImageDataset | TextDataset


CATALOGUE = {
    dataset.name: dataset
    for dataset in (
        ImageDataset(
            name="fashion_mnist",
            repository="zalando-datasets/fashion_mnist",
            config="fashion_mnist",
            image_column="image",
            shape=(28, 28, 1),
            classes=(
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ),
            idx_folder="/usr/share/datasets/fashion-mnist",
            package="dataset-fashion-mnist",
        ),
        ImageDataset(
            name="mnist",
            repository="ylecun/mnist",
            config="mnist",
            image_column="image",
            shape=(28, 28, 1),
            classes=tuple("0123456789"),
        ),
        ImageDataset(
            name="cifar10",
            repository="uoft-cs/cifar10",
            config="plain_text",
            image_column="img",
            shape=(32, 32, 3),
            classes=(
                "airplane",
                "automobile",
                "bird",
                "cat",
                "deer",
                "dog",
                "frog",
                "horse",
                "ship",
                "truck",
            ),
        ),
    )
}

# NusaX has the same texts in twelve languages, named by their ISO 639-3 codes.
NUSAX_LANGUAGES = {
    "ace": "acehnese",
    "ban": "balinese",
    "bbc": "toba_batak",
    "bjn": "banjarese",
    "bug": "buginese",
    "eng": "english",
    "ind": "indonesian",
    "jav": "javanese",
    "mad": "madurese",
    "min": "minangkabau",
    "nij": "ngaju",
    "sun": "sundanese",
}


def nusax(lang: str) -> TextDataset:
    """NusaX sentiment in one language (Winata et al., 2023, https://arxiv.org/abs/2205.15960).

    Raises:
        ZooError: a language that it is not in.
    """
    if lang not in NUSAX_LANGUAGES:
        raise unknown_name("language of NusaX", lang, NUSAX_LANGUAGES)
    folder = "https://raw.githubusercontent.com/IndoNLP/nusax/main/datasets/sentiment"
    files = {"train": "train.csv", "validation": "valid.csv", "test": "test.csv"}
    return TextDataset(
        name=f"nusax-{lang}",
        repository="indonlp/NusaX-senti",
        config=lang,
        text_column="text",
        classes=("negative", "neutral", "positive"),
        authors_files={
            split: f"{folder}/{NUSAX_LANGUAGES[lang]}/{file}" for split, file in files.items()
        },
    )
