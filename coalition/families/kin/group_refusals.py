"""Why something cannot be done in a group now, and what would be right."""

from collections.abc import Sequence

from coalition.families.evaluator.acts import Failure
from coalition.families.kin.transfer_refusals import as_fact
from coalition.kernel.errors import Conflict, Forbidden, Invalid, NotFound


class GroupRefused(Conflict):
    """The rules of the group do not allow this now; every failure says what would be right."""

    code, title = "group_refused", "Group refused"

    @classmethod
    def of(cls, failures: Sequence[Failure], *, by_head: bool = False) -> "GroupRefused":
        """Return the refusal for all `failures`, in the rule set's order.

        Where the head itself acts (`by_head`) it hears all about itself.
        """
        return cls(failures=[as_fact(failure, is_own=by_head) for failure in failures])


class UnknownGroup(NotFound):
    """There is no such group among those of this member."""

    code, title = "unknown_group", "Unknown group"


class NotInGroup(NotFound):
    """This is nobody who belongs to the group now."""

    code, title = "not_in_group", "Not in the group"


class AlreadyInGroup(Conflict):
    """Who is invited belongs to the group already; invite somebody else."""

    code, title = "already_in_group", "Already in the group"


class UnknownInvitation(NotFound):
    """There is no such invitation for this member."""

    code, title = "unknown_invitation", "Unknown invitation"


class UnknownAct(NotFound):
    """There is no such act among those that this member asked for or pays."""

    code, title = "unknown_act", "Unknown act"


class InvitationNotOpen(Conflict):
    """The invitation was accepted, declined, withdrawn, or has run out; ask for another one."""

    code, title = "invitation_not_open", "Invitation not open"


class InvitationNeeded(Conflict):
    """Nobody joins without an invitation, but a child whom its guardian, the head, takes along."""

    code, title = "invitation_needed", "Invitation needed"


class GroupIsClosed(Conflict):
    """The group has closed, which is final; form another one."""

    code, title = "group_closed", "Group closed"


class GroupIsSeparating(Conflict):
    """The group is being separated: until that is settled nothing moves into it or out of it."""

    code, title = "group_separating", "Group separating"


class NoPot(Conflict):
    """Nothing is brought into this group: its points lie with who has them, or with its head."""

    code, title = "no_pot", "No pot"


class NotSeparating(Conflict):
    """Nobody is separating in this group; begin that first."""

    code, title = "not_separating", "Not separating"


class HeadOnly(Forbidden):
    """Only the head of the group may do this; ask the head."""

    code, title = "head_only", "Head only"


class NotYourself(Forbidden):
    """Only the member itself, or a guardian of a minor, may do this."""

    code, title = "not_yourself", "Not yourself"


class SecondPersonOnly(Forbidden):
    """Staff settle a separation by two persons; prepare it for the second one."""

    code, title = "second_person_only", "Second person only"


class GuardianOnly(Forbidden):
    """Only a guardian of the member may do this."""

    code, title = "guardian_only", "Guardian only"


class GuardianNeeded(Conflict):
    """A minor joins by a guardian's word, and nobody is known to guard it: have that noted first.

    The operator's staff note who guards whom.
    """

    code, title = "guardian_needed", "Guardian needed"


class StaffOnly(Forbidden):
    """Only the operator's staff may do this."""

    code, title = "staff_only", "Staff only"


class HeadMustHandOver(Conflict):
    """The head leaves last: name another adult who takes over, or close the group."""

    code, title = "head_must_hand_over", "Head must hand over"


class NotAnAdult(Conflict):
    """Only an adult who belongs to the group can take it over."""

    code, title = "not_an_adult", "Not an adult"


class HeirNeeded(Conflict):
    """By the rules of the group the points go to an heir; name the member who inherits."""

    code, title = "heir_needed", "Heir needed"


class RightNotInQuestion(Conflict):
    """By the rules of the group this right is neither taken nor given by the head."""

    code, title = "right_not_in_question", "Right not in question"


class InvalidRole(Invalid):
    """A role is one that the head of a group may give; the head's own is handed over."""

    code, title = "invalid_role", "Invalid role"


class InvalidNominee(Invalid):
    """A nominee is called by 1 to 100 printable characters, and by no payment card number."""

    code, title = "invalid_nominee", "Invalid nominee"


class InvalidRelationship(Invalid):
    """A relationship is a word, such as `spouse` or `in_law`, between two different members."""

    code, title = "invalid_relationship", "Invalid relationship"


class UnknownRelationship(NotFound):
    """No such relationship was declared."""

    code, title = "unknown_relationship", "Unknown relationship"


class OthersWordNeeded(Conflict):
    """A relationship is confirmed by the other one; wait for that, or end it."""

    code, title = "others_word_needed", "Other's word needed"


class TooManyRelationships(Conflict):
    """A member has declared or confirmed `most` relationships; end one of them first."""

    code, title = "too_many_relationships", "Too many relationships"


class GuardianIsAMinor(Conflict):
    """Who guards is of age and guarded by nobody; name an adult."""

    code, title = "guardian_is_a_minor", "Guardian is a minor"


class NotAMinor(Conflict):
    """The member is known to be of age; nobody guards it."""

    code, title = "not_a_minor", "Not a minor"


class UnknownGuardian(NotFound):
    """This member does not guard the other now."""

    code, title = "unknown_guardian", "Unknown guardian"


class FrozenByGuardian(Conflict):
    """A guardian has stopped the spending of this member; the guardian can let it go on."""

    code, title = "frozen_by_guardian", "Frozen by guardian"


class MergeInTwoGroups(Conflict):
    """Both members belong to groups; let the one that is to be merged leave its groups first."""

    code, title = "merge_in_two_groups", "Merge in two groups"


class GroupsToLeave(Conflict):
    """The member belongs to a group in which others remain; leave it, or hand it over, first."""

    code, title = "groups_to_leave", "Groups to leave"


class GroupActTaken(Conflict):
    """This id names another group already; take a new one."""

    code, title = "group_act_taken", "Id taken"
