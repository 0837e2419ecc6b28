"""What can go wrong with files, exams and other archives. The first lines are the sentences that people read."""

from core.errors import Conflict, Invalid, TooLarge, Unavailable


# --- why a file is rejected, in the order of the checks ---------------------------------------------------------
class NotDicom(Invalid):
    """This file is not DICOM."""

    code = "archive.not_dicom"
    cure = "Send DICOM files or zip archives of them; tables and pictures come with a data set that is known here."


class PixelDataTruncated(Invalid):
    """The pixels of this file are cut off."""

    code = "archive.pixel_data_truncated"
    cure = "The file was damaged on its way: send it again from its source."


class NotMammography(Invalid):
    """This is not a digital mammogram."""

    code = "archive.not_mammography"
    cure = "Send images of modality MG, Digital Mammography For Presentation or For Processing."


class NoPixelData(Invalid):
    """This file has a header and no image."""

    code = "archive.no_pixel_data"
    cure = "Export the exam again with its images."


class MultiframeUnsupported(Invalid):
    """This file holds more than one frame, as tomosynthesis does."""

    code = "archive.multiframe_unsupported"
    cure = "Send the exam's two-dimensional images."


class TooSmall(Invalid):
    """This image is smaller than 64 pixels on a side."""

    code = "archive.too_small"
    cure = "Send the full image; thumbnails and test objects are left out."


class SyntaxUnreadable(Invalid):
    """The pixels are written in a form that cannot be read here."""

    code = "archive.syntax_unreadable"
    cure = "Export the image without compression, or with JPEG lossless, JPEG-LS, JPEG 2000, HTJ2K or RLE."


# --- other reasons ----------------------------------------------------------------------------------------------
class ImageTooLarge(TooLarge):
    """This image says that it has more pixels than any mammogram."""

    code = "archive.image_too_large"
    cure = "Check Rows (0028,0010) and Columns (0028,0011) at the source."


class IdentityMissing(Invalid):
    """This file does not say which study or image it is."""

    code = "archive.identity_missing"
    cure = "Study and SOP Instance UID are required: export the exam again from its source."


class OtherPatient(Conflict):
    """This study is known under another patient."""

    code = "archive.other_patient"
    cure = "Correct Patient ID (0010,0020) at the source: one study belongs to one patient."


class ItemFailed(Invalid):
    """The import stumbled over this file."""

    code = "archive.item_failed"
    cure = "Give the import's number and the item's to the administrator: the log says where it happened."


class ArchiveDamaged(Invalid):
    """This zip archive is damaged or locked by a password."""

    code = "archive.archive_damaged"
    cure = "Pack it again, without a password."


class ArchiveTooLarge(TooLarge):
    """This zip archive unpacks to more than is taken."""

    code = "archive.archive_too_large"
    cure = "Send it in several archives, or the files themselves."


class NestedArchive(Invalid):
    """This is an archive inside an archive."""

    code = "archive.nested_archive"
    cure = "Unpack the inner archive and send its files."


class PathOutside(Invalid):
    """This archive member names a place outside the archive, or is a link."""

    code = "archive.path_outside"
    cure = "Pack the files again with plain names."


class UploadTooLarge(TooLarge):
    """This file is larger than one upload may be."""

    code = "archive.upload_too_large"
    cure = "Send it in parts, or raise UPLOAD_LIMIT_GB."


class UploadCut(Invalid):
    """The upload ended early."""

    code = "archive.upload_cut"
    cure = "Send the file again; what came before is kept."


class DiskFull(Unavailable):
    """There is not enough free space for this."""

    code = "archive.disk_full"
    cure = "Free some space in the folder of the server's state, then send it again."


class IngestClosed(Conflict):
    """This import takes no more files."""

    code = "archive.ingest_closed"
    cure = "Begin another import."


class NotDerived(Conflict):
    """This image is still being prepared."""

    code = "archive.not_derived"
    cure = "Wait for the job that prepares the images; the page of jobs shows it."


class ObjectMissing(Unavailable):
    """The stored file of this image is not where it should be."""

    code = "archive.object_missing"
    cure = "Ask the administrator to restore the store from a backup."
    transient = False


# --- archives of others -----------------------------------------------------------------------------------------
class AddressRefused(Invalid):
    """This address is not one that the server may call."""

    code = "archive.address_refused"
    cure = "Use an http or https address; local ones must be in the archive's list of networks."


class ArchiveDown(Unavailable):
    """The archive does not answer."""

    code = "archive.remote_down"
    cure = "Check its address and whether it runs, then try again."


class ArchiveSlow(Unavailable):
    """The archive took too long to answer."""

    code = "archive.remote_slow"
    cure = "Try again later, or give it more time in its settings."


class ArchiveBusy(Unavailable):
    """The archive has trouble of its own."""

    code = "archive.remote_trouble"
    cure = "Try again later; its administrator finds the reason in its log."


class ArchiveRefuses(Conflict):
    """The archive does not let us in."""

    code = "archive.remote_refuses"
    cure = "Check the user name and password, and what that account may do there."


class ArchiveNonsense(Conflict):
    """The archive answers, but not as DICOMweb."""

    code = "archive.remote_nonsense"
    cure = "Check the address: it must be the root of its DICOMweb service, often ending in /dicom-web."


class StudyMissing(Conflict):
    """The archive does not have this study."""

    code = "archive.remote_study_missing"
    cure = "Search again: it may have been removed there."


class CredentialsUnreadable(Conflict):
    """The stored password of this archive cannot be read."""

    code = "archive.credentials_unreadable"
    cure = "Enter it again: the secret that it was locked with has changed."
