"""The data sets that `load` knows, and where they can be had."""

from dataclasses import dataclass


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
